/** Bytes at first, and those kept when a larger batch has been written. */
const KEPT = 1024 * 1024;
/** Characters up to which a loop is faster than a call into the runtime. */
const SHORT = 64;

/**
 * Where a batch of lines is put together, byte by byte: joining strings took three times as long, most of it for flattening
 * them and for the garbage they left.
 *
 * `reserve` room first; the other methods don't ask for it.
 */
export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(KEPT);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written so far; valid until something else is written, also after `clear`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Begins again. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > KEPT) this.#bytes = Buffer.allocUnsafeSlow(KEPT);
  }

  /** Makes room for so many bytes. */
  reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  /** Writes a text that is known to be ASCII, and short. */
  ascii(text: string): void {
    const [bytes, start, { length }] = [this.#bytes, this.#length, text];
    for (let i = 0; i < length; i++) bytes[start + i] = text.charCodeAt(i);
    this.#length = start + length;
  }

  /** Writes any text, as UTF-8. */
  text(text: string): void {
    const [bytes, start, { length }] = [this.#bytes, this.#length, text];
    let i = 0;
    if (length <= SHORT) {
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) break;
        bytes[start + i] = code;
      }
    }
    this.#length = start + (i === length ? length : bytes.write(text, start, 'utf8'));
  }

  /** Writes a number as JSON has it; NaN and the infinities, which JSON lacks, as 0. */
  number(value: number): void {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** 31) || Object.is(value, -0)) {
      this.ascii(Number.isFinite(value) ? String(value) : '0');
      return;
    }
    const bytes = this.#bytes;
    let place = this.#length + digitsOf(value);
    this.#length = place;
    let rest = value | 0;
    do {
      const quotient = (rest / 10) | 0;
      bytes[--place] = 48 + rest - quotient * 10;
      rest = quotient;
    } while (rest > 0);
  }
}

/** Room for a text in UTF-8: exact for long ones, where three bytes a character would be a waste. */
export function roomFor(text: string): number {
  return text.length > KEPT / 16 ? Buffer.byteLength(text) : text.length * 3;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}

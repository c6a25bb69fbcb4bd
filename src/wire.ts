import type { Encoded } from './codec.js';
import { decodeColumn, encodeColumn, encodedSize, joined } from './codec.js';
import type {
  ChildMessage,
  EncodedError,
  FailedAttempt,
  ManagerMessage,
  SubprocessMessage,
} from './protocol.js';
import type { SharedReader, SharedWriter } from './shared-file.js';

/**
 * Messages as JSON can carry them, which is what Node's channel is fastest with: a report of one job cost the manager
 * a third less than with `serialization: 'advanced'`. What is not JSON is bytes by now (the codec's), and goes through a
 * shared file, or as base64 where there is none or it is full.
 */

type Message = ManagerMessage | ChildMessage | SubprocessMessage;

/** Bytes of a column, elsewhere or as text. */
type WiredBytes =
  | { readonly at: number; readonly lengths: readonly number[]; readonly apart: boolean }
  | { readonly base64: string };

type WiredColumn = number | string | WiredBytes;

/** Bytes of a piece, on average, from which on each is read into memory of its own. */
const PIECE_BYTES = 16 * 1024;
/** Bytes that a JSON message has room for as base64: a string holds half a GiB. */
const MAX_INLINE_BYTES = 320 * 1024 * 1024;

/** Both ways between two processes. */
export class Wire {
  /**
   * @param writer the file for what this side sends; undefined where there is none
   * @param reader the file for what the other side sends
   */
  constructor(
    private readonly writer: SharedWriter | undefined,
    private readonly reader: SharedReader | undefined,
  ) {}

  /** A message as it is sent. Its bytes are copied now. */
  pack(message: Message): object {
    const packed = this.packed(message);
    // Then someone gave all objects a `toJSON`, which would write in our place.
    return 'toJSON' in Array.prototype ? bare(packed) : packed;
  }

  /** The message that the other side packed. Never throws: what can't be read is a column that can't be decoded. */
  unpack(wired: object): Message {
    const message = wired as Message;
    switch (message.type) {
      case 'jobs':
        return { ...message, jobs: this.column(message.jobs as WiredColumn) };
      case 'results': {
        const { values, failed } = message;
        if (typeof values !== 'object' && failed === undefined) return message;
        return {
          ...message,
          values: this.column(values as WiredColumn),
          ...(failed === undefined ? {} : { failed: failed.map((one) => this.unpackedFailure(one)) }),
        };
      }
      case 'progress':
        return { ...message, data: this.column(message.data as WiredColumn) };
      case 'fatal':
      case 'uncaught':
        return { ...message, error: this.unpackedError(message.error) };
      default:
        return message;
    }
  }

  private packed(message: Message): object {
    switch (message.type) {
      case 'jobs':
        return typeof message.jobs === 'object' ? { ...message, jobs: this.wired(message.jobs) } : message;
      case 'results': {
        const { values, failed } = message;
        if (typeof values !== 'object' && failed === undefined) return message;
        return {
          ...message,
          values: this.wired(values),
          ...(failed === undefined ? {} : { failed: failed.map((one) => this.packedFailure(one)) }),
        };
      }
      case 'progress':
        return { ...message, data: this.wired(message.data) };
      case 'fatal':
      case 'uncaught':
        return { ...message, error: this.packedError(message.error) };
      default:
        return message;
    }
  }

  private packedFailure(failure: FailedAttempt): object {
    return { ...failure, error: this.packedError(failure.error) };
  }

  private unpackedFailure(failure: FailedAttempt): FailedAttempt {
    return { ...failure, error: this.unpackedError(failure.error) };
  }

  /** Fields of an error may be anything that v8 can write. */
  private packedError(error: EncodedError): WiredColumn {
    return this.wired(encodeColumn([error], () => {}));
  }

  private unpackedError(wired: unknown): EncodedError {
    try {
      return decodeColumn(this.column(wired as WiredColumn))[0];
    } catch (error) {
      return error;
    }
  }

  private wired(column: Encoded): WiredColumn {
    if (typeof column !== 'object') return column;
    const pieces = column instanceof Uint8Array ? [column] : column;
    const bytes = encodedSize(column);
    const at = this.writer?.write(pieces);
    if (at === undefined) {
      if (bytes > MAX_INLINE_BYTES) return { base64: '' };
      const { buffer, byteOffset, byteLength } = joined(column) as Uint8Array;
      return { base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
    }
    const apart = pieces.length > 1 && bytes >= pieces.length * PIECE_BYTES;
    return { at, apart, lengths: apart ? pieces.map(({ byteLength }) => byteLength) : [bytes] };
  }

  private column(wired: WiredColumn): Encoded {
    if (typeof wired !== 'object') return wired;
    if ('base64' in wired) return Buffer.from(wired.base64, 'base64');
    const { at, lengths, apart } = wired;
    try {
      const pieces = this.reader?.read(at, lengths) ?? [];
      return apart ? pieces : (pieces[0] ?? NOTHING);
    } catch {
      return NOTHING;
    }
  }
}

/** No column: decoding it says so. */
const NOTHING = new Uint8Array(0);

/** The same plain data, of objects that inherit nothing. */
function bare(value: unknown): object {
  const copy: object = Array.isArray(value) ? [] : {};
  Object.setPrototypeOf(copy, null);
  for (const [key, own] of Object.entries(value as object)) {
    (copy as Record<string, unknown>)[key] = typeof own === 'object' && own !== null ? bare(own) : own;
  }
  return copy;
}

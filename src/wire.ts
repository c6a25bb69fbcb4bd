import type { Encoded, PlainData } from './codec.js';
import {
  decodeColumn,
  encodeColumn,
  encodedSize,
  has,
  haveToJson,
  joined,
  lengthsOf,
  tooLarge,
} from './codec.js';
import type {
  ChildMessage,
  EncodedColumn,
  EncodedError,
  FailedAttempt,
  ManagerMessage,
  SubprocessMessage,
} from './protocol.js';
import type { SharedReader, SharedWriter } from './shared-file.js';

/**
 * Messages as the channel between two processes carries them.
 */

type Message = ManagerMessage | ChildMessage | SubprocessMessage;

/** Both ways between two processes. */
export interface Wire {
  /** A message as it is sent. Its bytes are copied now. */
  pack(message: Message): object;
  /** The message that the other side packed. Never throws: what can't be read is a column that can't be decoded. */
  unpack(wired: object): Message;
}

/** For a channel that carries bytes as they are: Node's with `serialization: 'advanced'`. */
export const advancedWire: Wire = {
  pack: (message) => message,
  unpack: (message) => message as Message,
};

/** Bytes of a column, elsewhere, or as base64; more than one length where each piece is to have memory of its own. */
type WiredBytes =
  | { readonly at: number; readonly lengths: readonly number[] }
  | { readonly base64: string }
  | { readonly tooLarge: number };

type WiredColumn = number | PlainData | WiredBytes;

/** Bytes that a JSON message has room for as base64: a string holds half a GiB. */
const MAX_INLINE_BYTES = 320 * 1024 * 1024;

/**
 * For a channel that carries JSON, which Node is fastest with: a report of one job cost the manager a third less than with
 * `serialization: 'advanced'`. What is not JSON is bytes by now (the codec's), and goes through a shared file, or as
 * base64 where there is none or it is full.
 */
export class JsonWire implements Wire {
  /** Bytes that the message under way still has room for. */
  private room = 0;

  /**
   * @param writer the file for what this side sends; undefined where it did not get to both
   * @param reader the file for what the other side sends
   * @param maxInline bytes that a message has room for itself
   */
  constructor(
    private readonly writer: SharedWriter | undefined,
    private readonly reader: SharedReader | undefined,
    private readonly maxInline = MAX_INLINE_BYTES,
  ) {}

  pack(message: Message): object {
    this.room = this.maxInline;
    const packed: object = withColumn(message, (column) => this.wired(column));
    const errors = errorsOf(message);
    if (errors.length > 0) {
      // Their fields may be anything that v8 can write.
      const wired = this.wired(encodeColumn(errors, () => {}));
      return sendable({ ...packed, ...withErrors(message, () => undefined), errors: wired });
    }
    return sendable(packed);
  }

  unpack(wired: object): Message {
    const message = wired as Message & { readonly errors?: WiredColumn };
    const unpacked = withColumn(message, (column) => this.column(column as unknown as WiredColumn));
    if (!Object.hasOwn(message, 'errors')) return unpacked;
    const found = this.errors(message.errors as WiredColumn);
    return { ...unpacked, ...withErrors(message, (at) => found[at] ?? found[0]) };
  }

  private wired(column: Encoded): WiredColumn {
    if (typeof column === 'number' || has(column, 'plain')) return column;
    const pieces = column instanceof Uint8Array ? [column] : column;
    const at = this.writer?.write(pieces);
    if (at !== undefined) return { at, lengths: lengthsOf(pieces) };
    const size = encodedSize(column);
    if (size > this.room) return { tooLarge: size };
    this.room -= size;
    const { buffer, byteOffset, byteLength } = joined(column) as Uint8Array;
    return { base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
  }

  /** Where they can't be read, that is the error of each. */
  private errors(wired: WiredColumn): EncodedError[] {
    try {
      return decodeColumn(this.column(wired));
    } catch (error) {
      return [error];
    }
  }

  private column(wired: WiredColumn): Encoded {
    if (typeof wired === 'number' || has(wired, 'plain')) return wired;
    if (has(wired, 'base64')) return Buffer.from(wired.base64, 'base64');
    if (has(wired, 'tooLarge')) return tooLarge(wired.tooLarge);
    const { at, lengths } = wired;
    try {
      const pieces = this.reader?.read(at, lengths) ?? [];
      return pieces.length > 1 ? pieces : (pieces[0] ?? NOTHING);
    } catch {
      return NOTHING;
    }
  }
}

/** Where a message has its column. */
const COLUMNS = { jobs: 'jobs', results: 'values', progress: 'data' } as const;

/** The message with the bytes of its column, if it has any, rewritten. */
export function withColumn<Any extends Message>(
  message: Any,
  rewrite: (bytes: EncodedColumn) => unknown,
): Any {
  const at = (COLUMNS as Partial<Record<string, string>>)[message.type];
  const column = at === undefined ? undefined : (message as unknown as Record<string, EncodedColumn>)[at];
  return at !== undefined && typeof column === 'object' ? { ...message, [at]: rewrite(column) } : message;
}

/** The errors of a message, in order. */
function errorsOf(message: Message): EncodedError[] {
  if (has(message, 'error')) return [message.error];
  return failedOf(message)?.map(({ error }) => error) ?? [];
}

/** The parts of a message that have errors, with others in their places. */
function withErrors(message: Message, errorAt: (at: number) => EncodedError): object {
  const failed = failedOf(message);
  if (failed === undefined) return { error: errorAt(0) };
  return { failed: failed.map((one, at) => ({ ...one, error: errorAt(at) })) };
}

function failedOf(message: Message): readonly FailedAttempt[] | undefined {
  return message.type === 'results' && Object.hasOwn(message, 'failed') ? message.failed : undefined;
}

/** No column: decoding it says so. */
const NOTHING = new Uint8Array(0);

/** A message that no `toJSON` of all objects spoils. */
function sendable(message: object): object {
  return haveToJson() ? bare(message) : message;
}

/** The same plain data, of objects that inherit nothing. */
function bare(value: unknown): object {
  const copy: object = Array.isArray(value) ? [] : {};
  Object.setPrototypeOf(copy, null);
  for (const [key, own] of Object.entries(value as object)) {
    (copy as Record<string, unknown>)[key] = typeof own === 'object' && own !== null ? bare(own) : own;
  }
  return copy;
}

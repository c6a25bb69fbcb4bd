import type { Encoded, PlainData } from './codec.js';
import { decodeColumn, encodeColumn, encodedSize, haveToJson, joined, lengthsOf } from './codec.js';
import type {
  ChildMessage,
  EncodedColumn,
  EncodedError,
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

/** Bytes of a column, elsewhere or as base64; more than one length where each piece is to have memory of its own. */
type WiredBytes = { readonly at: number; readonly lengths: readonly number[] } | { readonly base64: string };

type WiredColumn = number | PlainData | WiredBytes;

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
    const packed = rewritten(message, {
      column: (column) => this.wired(column as Encoded),
      // Its fields may be anything that v8 can write.
      error: (error) => this.wired(encodeColumn([error], () => {})),
    });
    return haveToJson() ? bare(packed) : packed;
  }

  /** The message that the other side packed. Never throws: what can't be read is a column that can't be decoded. */
  unpack(wired: object): Message {
    const message = wired as Message;
    return rewritten(message, {
      column: (column) => this.column(column as WiredColumn),
      error: (error) => this.error(error as WiredColumn),
    }) as Message;
  }

  private wired(column: Encoded): WiredColumn {
    if (typeof column === 'number' || 'plain' in column) return column;
    const pieces = column instanceof Uint8Array ? [column] : column;
    const at = this.writer?.write(pieces);
    if (at !== undefined) return { at, lengths: lengthsOf(pieces) };
    if (encodedSize(column) > MAX_INLINE_BYTES) return { base64: '' };
    const { buffer, byteOffset, byteLength } = joined(column) as Uint8Array;
    return { base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
  }

  private error(wired: WiredColumn): EncodedError {
    try {
      return decodeColumn(this.column(wired))[0];
    } catch (error) {
      return error;
    }
  }

  private column(wired: WiredColumn): Encoded {
    if (typeof wired === 'number' || 'plain' in wired) return wired;
    if ('base64' in wired) return Buffer.from(wired.base64, 'base64');
    const { at, lengths } = wired;
    try {
      const pieces = this.reader?.read(at, lengths) ?? [];
      return pieces.length > 1 ? pieces : (pieces[0] ?? NOTHING);
    } catch {
      return NOTHING;
    }
  }
}

/** How the parts of a message are rewritten that may not be JSON. */
interface Rewriting {
  column(column: unknown): unknown;
  error(error: unknown): unknown;
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

function rewritten(message: Message, { column, error }: Rewriting): object {
  let copy: object = withColumn(message, column);
  if ('error' in message) copy = { ...copy, error: error(message.error) };
  if (!('failed' in message) || message.failed === undefined) return copy;
  return { ...copy, failed: message.failed.map((one) => ({ ...one, error: error(one.error) })) };
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

import type { Parcel } from '../manager/batch.js';
import { pickParcel } from '../manager/batch.js';
import type { Refused } from '../manager/endings.js';
import { indexAt } from '../protocol.js';
import { tooLarge } from './checks.js';
import { toJson } from './json-values.js';
import { CHUNK_BYTES, MAX_VALUE_BYTES } from './limits.js';

const ADVICE = 'list a key or a path, and read the data in workerProcess';

/** A parcel made ready for the queue: cut where it is too large, without what can't be sent. */
export interface Packed {
  readonly chunks: readonly { readonly parcel: Parcel; readonly texts: readonly (string | undefined)[] }[];
  readonly refused: readonly Refused[];
}

/** Writes each job as JSON and cuts the parcel into chunks of at most `CHUNK_BYTES`. */
export function pack(parcel: Parcel): Packed {
  const chunks: { parcel: Parcel; texts: (string | undefined)[] }[] = [];
  const refused: Refused[] = [];
  let positions: number[] = [];
  let texts: (string | undefined)[] = [];
  let bytes = 0;
  const close = (): void => {
    if (positions.length === 0) return;
    const isWhole = positions.length === parcel.jobs.length;
    chunks.push({ parcel: isWhole ? parcel : pickParcel(parcel, positions), texts });
    positions = [];
    texts = [];
    bytes = 0;
  };
  for (let position = 0; position < parcel.jobs.length; position += 1) {
    const job = parcel.jobs[position];
    const json = job === undefined ? undefined : jobText(job, indexAt(parcel, position));
    if (json instanceof Error) {
      refused.push({ position, error: json });
      continue;
    }
    const size = json === undefined ? 8 : Buffer.byteLength(json);
    if (bytes + size > CHUNK_BYTES) close();
    positions.push(position);
    texts.push(json);
    bytes += size + 1;
  }
  close();
  return { chunks, refused };
}

function jobText(job: unknown, index: number): string | Error {
  const json = toJson(job, `job ${index}`);
  if (typeof json !== 'string') return json;
  return tooLarge(json, `Job ${index}`, MAX_VALUE_BYTES, ADVICE) ?? json;
}

/** Sizes and counts that both sides keep to. */

/** Bytes of jobs a chunk aims at. */
export const CHUNK_BYTES = 256 * 1024;
/** Bytes one job, or one result, may have. Larger data goes by reference: a key of an object store, a path. */
export const MAX_VALUE_BYTES = 1024 * 1024;
/** Characters of a chunk's body that a machine reads. */
export const MAX_BODY = 2 * MAX_VALUE_BYTES;
/** Characters of an outcome; what is over it runs again in smaller chunks. */
export const MAX_OUTCOME = 8 * 1024 * 1024;
/** Jobs of a chunk. */
export const MAX_JOBS = 10_000;
/** Chunks that may be on their way at once. */
export const MAX_OUTSTANDING = 1_000;
/** Highest index of a job. */
export const MAX_INDEX = Number.MAX_SAFE_INTEGER;
/** What a run, a queue or a machine may be called. */
export const NAME = /^[\w.-]{1,64}$/;
/** Progress of one chunk: entries that are kept for its outcome, and their characters as JSON. */
export const MAX_PROGRESS = 1_000;
export const MAX_PROGRESS_SIZE = 1024 * 1024;
/** Characters of one failure as JSON. */
export const MAX_ERROR = 128 * 1024;

import { WorkerCrashError } from '../errors.js';
import { isFailed, type Settlement } from '../manager/tally.js';
import { indexAt } from '../protocol.js';
import { engineError } from './codes.js';
import type { ChunkJobs } from './envelope.js';
import { toJson } from './json-values.js';
import { MAX_OUTCOME, MAX_PROGRESS, MAX_VALUE_BYTES } from './limits.js';
import type { FailureKind, Progress, SealedOutcome } from './outcome.js';
import { writeOutcome } from './outcome.js';
import { errorToJson } from './wire-errors.js';

/** A chunk that a machine is running: collects what becomes of its jobs, in columns. */

/** Characters of results that one report holds at most; what comes after that runs again. */
const ROOM = MAX_OUTCOME / 2;

export class OpenChunk {
  /** How many of its jobs have no ending yet. */
  pending: number;
  private readonly texts: (string | undefined)[];
  private readonly absent: number[] = [];
  private readonly failed: [number, FailureKind, unknown][] = [];
  private readonly again: number[] = [];
  private readonly ids: number[];
  private readonly starts: number[];
  private readonly durations: number[];
  private readonly ended: Uint8Array;
  private readonly spoiled = new Map<number, Error>();
  private progress: Progress[] = [];
  private progressed = 0;
  private size = 0;

  constructor(
    readonly id: string,
    readonly run: string,
    readonly jobs: ChunkJobs,
  ) {
    const { length } = jobs.jobs;
    this.pending = length;
    this.texts = new Array<undefined>(length).fill(undefined);
    this.ids = new Array<number>(length).fill(0);
    this.starts = new Array<number>(length).fill(0);
    this.durations = new Array<number>(length).fill(0);
    this.ended = new Uint8Array(length);
  }

  indexAt(position: number): number {
    return indexAt(this.jobs, position);
  }

  /**
   * One job's ending.
   * @param threw whether the job itself threw or timed out, so that another try may end otherwise
   */
  settle(position: number, settlement: Settlement, threw: (error: unknown) => boolean): void {
    if (this.ended[position] === 1) return;
    this.ended[position] = 1;
    this.pending -= 1;
    this.ids[position] = settlement.id;
    this.starts[position] = settlement.startedAt;
    this.durations[position] = Math.round(settlement.duration * 1000) / 1000;
    if (isFailed(settlement)) {
      const { error } = settlement;
      const kind = threw(error) ? 'threw' : error instanceof WorkerCrashError ? 'crashed' : 'refused';
      this.failed.push([position, kind, errorToJson(error)]);
      return;
    }
    const refusal = this.spoiled.get(position) ?? this.keep(position, settlement.result);
    if (refusal !== undefined) this.failed.push([position, 'refused', errorToJson(refusal)]);
  }

  /** A job called `progress`. @returns the entry, to be told at once as well */
  note(index: number, data: unknown): Progress | undefined {
    const json = data === undefined ? 'null' : toJson(data, `progress of job ${index}`);
    if (json instanceof Error) {
      const position = this.jobs.jobs.findIndex((_, at) => this.indexAt(at) === index);
      if (!this.spoiled.has(position)) this.spoiled.set(position, json);
      return undefined;
    }
    const entry = [this.progressed++, index, data] as const;
    this.progress.push(entry);
    if (this.progress.length > MAX_PROGRESS) this.progress.shift();
    return entry;
  }

  /** The report. What has no ending is to run again. */
  close(machine: string, secret: string | undefined): SealedOutcome {
    for (let at = 0; at < this.ended.length; at += 1) if (this.ended[at] !== 1) this.again.push(at);
    const began = this.starts.filter((start) => start > 0);
    const startedAt = began.length === 0 ? 0 : Math.floor(began.reduce((a, b) => Math.min(a, b)));
    const { texts, absent, failed, again, ids, durations, progress } = this;
    return writeOutcome(
      {
        machine,
        texts,
        ids,
        startedAt,
        starts: this.starts.map((start) => (start === 0 ? 0 : Math.round(start - startedAt))),
        durations,
        ...(absent.length === 0 ? {} : { absent }),
        ...(failed.length === 0 ? {} : { failed }),
        ...(again.length === 0 ? {} : { again }),
        ...(progress.length === 0 ? {} : { progress }),
      },
      this.id,
      secret,
    );
  }

  private keep(position: number, result: unknown): Error | undefined {
    if (result === undefined) {
      this.absent.push(position);
      return undefined;
    }
    const index = this.indexAt(position);
    const json = toJson(result, `the result of job ${index}`);
    if (typeof json !== 'string') return json;
    const bytes = json.length < MAX_VALUE_BYTES / 4 ? 0 : Buffer.byteLength(json);
    if (bytes > MAX_VALUE_BYTES) {
      return engineError(
        'ERR_ENGINE_PAYLOAD_TOO_LARGE',
        `The result of job ${index} has ${bytes} bytes as JSON, more than the ${MAX_VALUE_BYTES} that go through the queue: ` +
          'write it to a store or a file, and return its key or path',
      );
    }
    if (this.size + json.length > ROOM) this.again.push(position);
    else {
      this.size += json.length;
      this.texts[position] = json;
    }
    return undefined;
  }
}

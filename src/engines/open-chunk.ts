import { WorkerCrashError } from '../errors.js';
import { isFailed, type Settlement } from '../manager/tally.js';
import { indexAt } from '../protocol.js';
import { tooLarge } from './checks.js';
import type { ChunkJobs } from './envelope.js';
import { toJson } from './json-values.js';
import { MAX_OUTCOME, MAX_PROGRESS, MAX_PROGRESS_SIZE, MAX_VALUE_BYTES } from './limits.js';
import type { FailureKind, Progress, SealedOutcome } from './outcome.js';
import { writeOutcome } from './outcome.js';
import { errorToJson } from './wire-errors.js';

/** A chunk that a machine is running: collects what becomes of its jobs, in columns. */

const ADVICE = 'write it to a store or a file, and send its key or path';
/** Characters of results and errors that one report holds at most; what comes after that runs again. */
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
  private progressSize = 0;
  private readonly progressSizes: number[] = [];
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
      this.fail(position, kind, error);
      return;
    }
    const refusal = this.spoiled.get(position) ?? this.keep(position, settlement.result);
    if (refusal !== undefined) this.fail(position, 'refused', refusal);
  }

  /** A job called `progress`. @returns whether there is something to tell */
  note(index: number, data: unknown, id: number): boolean {
    const json = data === undefined ? 'null' : toJson(data, `progress of job ${index}`);
    const refusal =
      json instanceof Error ? json : tooLarge(json, `Progress of job ${index}`, MAX_PROGRESS_SIZE, ADVICE);
    if (refusal !== undefined) {
      const position = this.jobs.jobs.findIndex((_, at) => this.indexAt(at) === index);
      if (!this.spoiled.has(position)) this.spoiled.set(position, refusal);
      return false;
    }
    this.progress.push([this.progressed++, index, data, id]);
    this.progressSizes.push(String(json).length);
    this.progressSize += String(json).length;
    while (this.progress.length > MAX_PROGRESS || this.progressSize > MAX_PROGRESS_SIZE) {
      this.progress.shift();
      this.progressSize -= this.progressSizes.shift() ?? 0;
    }
    return true;
  }

  /** What is kept of the progress from this number on: the latest. */
  progressFrom(number: number): readonly Progress[] {
    return this.progress.filter(([at]) => at >= number);
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
    const refusal = tooLarge(json, `The result of job ${index}`, MAX_VALUE_BYTES, ADVICE);
    if (refusal !== undefined) return refusal;
    if (this.size + json.length > ROOM) this.again.push(position);
    else {
      this.size += json.length;
      this.texts[position] = json;
    }
    return undefined;
  }

  /** Notes a failure. One that does not fit runs again, uncharged, which can do no harm. */
  private fail(position: number, kind: FailureKind, error: unknown): void {
    const json = errorToJson(error);
    const { length } = JSON.stringify(json);
    if (this.size + length > ROOM) this.again.push(position);
    else {
      this.size += length;
      this.failed.push([position, kind, json]);
    }
  }
}

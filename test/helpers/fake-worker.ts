import { decodeColumn, encodeColumn } from '../../src/codec.js';
import { errorToWire } from '../../src/error-wire.js';
import type { Child, ChildEvents, ChildExit } from '../../src/manager/child.js';
import type { ChildMessage, JobsMessage, ManagerMessage, ResultsMessage } from '../../src/protocol.js';
import { BRAND, indexAt } from '../../src/protocol.js';

type WithoutBrand<Message> = Message extends { brand: unknown } ? Omit<Message, 'brand'> : never;

/** A worker process that says and does what the test wants, and keeps what it was told. */
export class FakeChild implements Child {
  readonly sent: ManagerMessage[] = [];
  readonly signals: string[] = [];
  name: number | undefined;
  gone = false;
  lastWords = '';

  constructor(
    private readonly events: ChildEvents,
    readonly pid: number | undefined,
  ) {}

  label(id: number): void {
    this.name = id;
  }

  send(message: ManagerMessage): void {
    if (!this.gone) this.sent.push(message);
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): boolean {
    if (!this.gone) this.signals.push(signal);
    return !this.gone;
  }

  stderr(): string {
    return this.lastWords;
  }

  /** What it was told, without the jobs: the types of the messages. */
  get told(): string[] {
    return this.sent.map(({ type }) => type).filter((type) => type !== 'jobs');
  }

  /** Every batch it was given. */
  get batches(): JobsMessage[] {
    return this.sent.filter((message) => message.type === 'jobs');
  }

  get lastBatch(): JobsMessage {
    const batch = this.batches.at(-1);
    if (batch === undefined) throw new Error('It was given no batch');
    return batch;
  }

  say(message: WithoutBrand<ChildMessage>): void {
    if (!this.gone) this.events.message({ brand: BRAND, ...message } as ChildMessage);
  }

  /** Loads its module; with a number, which it may have to wait for, it begins and is ready. */
  getReady(finishes = false): this {
    this.say({ type: 'loaded', took: 0 });
    if (this.told.includes('begin')) this.say({ type: 'ready', finishes });
    return this;
  }

  /** Completes a batch, or the part of it that `report` says; each job's result is the job. */
  complete(batch: JobsMessage = this.lastBatch, report: Partial<ResultsMessage> = {}): this {
    const { from = 0, count = batch.count - from, positions } = report;
    const jobs = decodeColumn(batch.jobs);
    const values = Array.from({ length: count }, (_, at) => jobs[positions?.[at] ?? from + at]);
    this.say({
      type: 'results',
      batch: batch.batch,
      from,
      count,
      values: encode(values),
      startedAt: 0,
      nanoseconds: 1e6,
      ...report,
    });
    return this;
  }

  /** One attempt throws; it is reported alone. */
  fail(error: unknown, batch: JobsMessage = this.lastBatch, position = 0): this {
    const failed = [{ position, kind: 'threw' as const, error: errorToWire(error) }];
    return this.complete(batch, { from: position, count: 1, values: encode([undefined]), failed });
  }

  disconnect(): void {
    this.events.disconnected();
  }

  exit(exit: Partial<ChildExit> = {}): void {
    if (this.gone) return;
    this.gone = true;
    this.events.exited({
      code: exit.signal === undefined && exit.error === undefined ? 0 : null,
      signal: null,
      ...exit,
    });
  }
}

/** The indices of a batch's jobs. */
export function indicesOf(batch: JobsMessage): number[] {
  return Array.from({ length: batch.count }, (_, position) => indexAt(batch, position));
}

export function encode(values: readonly unknown[]): ReturnType<typeof encodeColumn> {
  return encodeColumn(values, (_, error) => {
    throw error;
  });
}

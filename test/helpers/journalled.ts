import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type {
  Summary,
  ThreadFactory as ThreadFactoryClass,
  ThreadFactoryOptions,
  ThreadFactorySpec,
} from '../../src/index.js';

const ThreadFactory = createRequire(import.meta.url)('../../dist/index.cjs') as typeof ThreadFactoryClass;

type Job = unknown;
type Factory = ThreadFactoryClass<Job, unknown, unknown, unknown>;
type Spec = Partial<ThreadFactorySpec<Job, unknown, unknown, unknown>>;

/** What came of a run, whether `start()` resolved or rejected. */
export interface Life {
  readonly summary: Summary<Job, unknown, unknown> | undefined;
  /** What `start()` rejected with. */
  readonly rejection: (Error & { readonly code?: string }) | undefined;
  /** Positions of the jobs of the events, in their order. */
  readonly completed: readonly number[];
  readonly failed: readonly number[];
  /** Errors of the run itself that were emitted. */
  readonly runErrors: readonly Error[];
  /** Jobs that were run, in their order, again and again where they were. */
  readonly ran: readonly Job[];
}

/** A list of jobs, and how they are run where it matters. */
export interface Setup {
  readonly jobs: () => unknown;
  readonly options?: ThreadFactoryOptions<Job, unknown>;
  readonly spec?: Spec;
  /** Called with the factory before it is started. */
  readonly meanwhile?: (factory: Factory) => void;
}

/** Runs on one journal in a temporary folder of the test, in this very process (`workers: 0`). */
export interface JournalledRuns {
  /** The journal's path. */
  path(): string;
  /** Its lines behind the header, parsed. */
  lines(): Record<string, unknown>[];
  /** A factory on that journal whose worker returns `result of <job>`. */
  factory(setup: Setup): Factory;
  /** Starts one and tells what came of it; never rejects. */
  live(setup: Setup): Promise<Life>;
}

/** Runs on a journal for each test of a file. */
export function useJournalledRuns(): JournalledRuns {
  let folder: string | undefined;
  afterEach(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    folder = undefined;
  });
  const runs: JournalledRuns = {
    path: () => {
      folder ??= mkdtempSync(join(tmpdir(), 'threadfactory-runs-'));
      return join(folder, 'run.jsonl');
    },
    lines: () =>
      readFileSync(runs.path(), 'utf8')
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => JSON.parse(line)),
    factory: ({ jobs, options, spec }) =>
      new ThreadFactory<Job, unknown, unknown, unknown>(
        {
          manager: jobs as () => unknown[],
          workerProcess: (job) => `result of ${String(job)}`,
          ...spec,
        } as ThreadFactorySpec<Job, unknown, unknown, unknown>,
        { journal: runs.path(), workers: 0, fsync: false, ...options },
      ),
    live: async (setup) => {
      const ran: Job[] = [];
      const { workerProcess = (job: Job) => `result of ${String(job)}` } = setup.spec ?? {};
      const noting: Spec = {
        ...setup.spec,
        workerProcess: (job, context) => {
          ran.push(job);
          return workerProcess(job, context);
        },
      };
      const factory = runs.factory({ ...setup, spec: noting });
      const [completed, failed, runErrors]: [number[], number[], Error[]] = [[], [], []];
      factory.on('completed', ({ index }) => completed.push(index));
      factory.on('error', (error, failure) => {
        if (failure === undefined) runErrors.push(error);
        else failed.push(failure.index);
      });
      setup.meanwhile?.(factory);
      const rejection = await factory.start().then(
        () => undefined,
        (error: Error & { code?: string }) => error,
      );
      return { summary: factory.summary, rejection, completed, failed, runErrors, ran };
    },
  };
  return runs;
}

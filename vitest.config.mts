import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const MINUTE = 60_000;

// A Node parses these certificates whenever it starts, which takes it as long as all else together; and tests start
// hundreds. Only npm gets them: test/helpers/npm.ts.
const { NODE_EXTRA_CA_CERTS: certificates } = process.env;
if (certificates !== undefined) process.env.TEST_NPM_EXTRA_CA_CERTS = certificates;
delete process.env.NODE_EXTRA_CA_CERTS;

/** Files at once in the group that starts processes, one figure for all of it: twice the cores of CI, as many of them wait. */
const WORKERS = 4;

/** They replace modules of Node's for what they import, which another file may have imported before. */
const ISOLATED = ['journal-lock', 'clock', 'error-wire'];
const ISOLATED_FILES = ISOLATED.map((name) => `test/unit/${name}.test.ts`);

/**
 * The files that begin first: the isolated ones, which would otherwise run last, with nothing beside them, and those that
 * take longest, most of it waiting, so that the others fill the cores meanwhile.
 */
const FIRST = [
  ...ISOLATED,
  'smoke',
  'cluster-faults',
  'timeouts',
  'examples',
  'cluster-outages',
  'orphans',
  'report',
];

class ChosenFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = FIRST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? FIRST.length : at;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

// Groups run one after another. Beside the tests that fork run only the few isolated ones.
export default defineConfig({
  test: {
    sequence: { sequencer: ChosenFirst },
    projects: [
      {
        test: {
          name: 'unit',
          testTimeout: 60_000,
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
          exclude: ISOLATED_FILES,
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'unit-isolated',
          testTimeout: 60_000,
          include: ISOLATED_FILES,
          pool: 'threads',
          maxWorkers: WORKERS,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Forks the built package: a process for each file, few at a time.
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          pool: 'forks',
          isolate: false,
          maxWorkers: WORKERS,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          pool: 'forks',
          isolate: false,
          maxWorkers: WORKERS,
          testTimeout: 3 * MINUTE,
          hookTimeout: 5 * MINUTE,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 30 * MINUTE,
          sequence: { groupOrder: 4 },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      reporter: ['text'],
      // The pure files: what they do depends on their arguments alone, so nothing excuses a line no test reaches.
      include: [
        'src/protocol.ts',
        'src/errors.ts',
        'src/error-wire.ts',
        'src/codec.ts',
        'src/frames.ts',
        'src/histogram.ts',
        'src/stats.ts',
        'src/serializer.ts',
        'src/plain-copy.ts',
        'src/refusal.ts',
        'src/options.ts',
        'src/option-checks.ts',
        'src/cpu-quota.ts',
        'src/spec.ts',
        'src/registry.ts',
        'src/call-site.ts',
        'src/flags.ts',
        'src/describe.ts',
        'src/manager/!(child|fork|pdeathsig).ts',
        'src/child/!(bootstrap|compile-cache|load|watchdog).ts',
        'src/journal.ts',
        'src/journal/!(lock|file|io).ts',
      ],
      thresholds: { lines: 95, functions: 95, statements: 95, branches: 95 },
    },
  },
});

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { posix } from 'node:path';

/** What `defaultWorkers` reads from the machine; tests give their own. */
export interface CpuSources {
  /** A file's text, or undefined when there is no such file or it can't be read. Must not throw. */
  readonly readText: (path: string) => string | undefined;
  /** How many threads the machine can run at once for this process. */
  readonly parallelism: () => number;
}

/**
 * How many workers keep this process's share of the machine busy: `os.availableParallelism()`, or the CPU quota of
 * its cgroup (v1 or v2, the tightest of the group and those above it) where that is lower; a whole number, at
 * least 1. Never throws.
 *
 * A quota of 2.5 CPUs gives 2, as libuv since 1.49 and Rust's `available_parallelism` count: the same number on
 * every version of Node.
 */
export function defaultWorkers(sources: CpuSources = machine): number {
  const quota = Math.floor(cgroupCpuQuota(sources.readText));
  return Math.max(1, Math.min(sources.parallelism(), quota));
}

/**
 * The CPU quota of the process's cgroup, in CPUs (0.5: half of one); `Infinity` where there is none, or none can be read.
 */
export function cgroupCpuQuota(readText: CpuSources['readText']): number {
  let quota = Number.POSITIVE_INFINITY;
  // A line is `0::/path` (v2) or `4:cpu,cpuacct:/path` (v1); a hybrid machine has both.
  for (const line of (readText('/proc/self/cgroup') ?? '').split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    const controllers = match?.[1];
    const path = match?.[2];
    if (controllers === undefined || path === undefined) continue;
    if (controllers === '') {
      quota = Math.min(
        quota,
        tightest('/sys/fs/cgroup', path, (group) => quotaV2(readText, group)),
      );
    } else if (controllers.split(',').includes('cpu')) {
      for (const mount of new Set([controllers, 'cpu', 'cpu,cpuacct'])) {
        const root = `/sys/fs/cgroup/${mount}`;
        quota = Math.min(
          quota,
          tightest(root, path, (group) => quotaV1(readText, group)),
        );
      }
    }
  }
  return quota;
}

const machine: CpuSources = { readText: readTextIfAny, parallelism: availableParallelism };

/**
 * The lowest quota of a group and all above it. Inside a container the path may be the host's, while the mount begins
 * at the container's own group: the deeper folders do not exist there, and the walk ends at the right one.
 */
function tightest(root: string, path: string, quotaOf: (group: string) => number): number {
  let quota = Number.POSITIVE_INFINITY;
  // Normalising keeps a path such as `/../../other` (a process moved out of its cgroup namespace) below the root.
  let group = posix.normalize(path);
  for (;;) {
    quota = Math.min(quota, quotaOf(posix.join(root, group)));
    if (group === '/' || group === '.') return quota;
    group = posix.dirname(group);
  }
}

/** `cpu.max` holds `quota period` in µs, or `max period` for no quota. */
function quotaV2(readText: CpuSources['readText'], group: string): number {
  const [quota, period] = (readText(posix.join(group, 'cpu.max')) ?? '').trim().split(/\s+/);
  return ratio(quota, period);
}

/** `cpu.cfs_quota_us` is -1 for no quota. */
function quotaV1(readText: CpuSources['readText'], group: string): number {
  const quota = readText(posix.join(group, 'cpu.cfs_quota_us'));
  return quota === undefined
    ? Number.POSITIVE_INFINITY
    : ratio(quota, readText(posix.join(group, 'cpu.cfs_period_us')));
}

function ratio(quota: string | undefined, period: string | undefined): number {
  const cpus = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10);
  return cpus > 0 ? cpus : Number.POSITIVE_INFINITY;
}

function readTextIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // No cgroups here (another system, another version), or not for us to read: then there is no quota to obey.
    return undefined;
  }
}

import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { cgroupCpuQuota, defaultWorkers } from '../../src/cpu-quota.js';

/** A machine of 64 threads with just these files. */
function machineWith(files: Readonly<Record<string, string>>, threads = 64) {
  return {
    readText: (path: string) => (Object.hasOwn(files, path) ? files[path] : undefined),
    parallelism: () => threads,
  };
}

const cgroup = '/proc/self/cgroup';

describe('defaultWorkers', () => {
  test('a machine without cgroups has a worker for each thread', () => {
    expect(defaultWorkers(machineWith({}))).toBe(64);
  });

  test.each([
    ['200000 100000\n', 2],
    ['250000 100000\n', 2],
    ['50000 100000\n', 1],
    ['max 100000\n', 64],
    ['9900000 100000\n', 64],
    ['nonsense\n', 64],
    ['0 0\n', 64],
    ['', 64],
  ])('a container whose cpu.max says %j', (text, workers) => {
    const machine = machineWith({ [cgroup]: '0::/\n', '/sys/fs/cgroup/cpu.max': text });
    expect(defaultWorkers(machine)).toBe(workers);
  });

  test('the tightest group on the way to the root counts', () => {
    const files = {
      [cgroup]: '0::/user.slice/job.scope\n',
      '/sys/fs/cgroup/user.slice/job.scope/cpu.max': '800000 100000',
      '/sys/fs/cgroup/user.slice/cpu.max': '300000 100000',
    };
    expect(defaultWorkers(machineWith(files))).toBe(3);
  });

  test("a container that sees the host's path reads its own group at the mount's root", () => {
    const files = { [cgroup]: '0::/docker/0123abcd\n', '/sys/fs/cgroup/cpu.max': '400000 100000' };
    expect(defaultWorkers(machineWith(files))).toBe(4);
  });

  test('a path that leads out of the cgroup namespace stays below the mount', () => {
    const files = { [cgroup]: '0::/../../elsewhere\n', '/sys/fs/cgroup/cpu.max': '400000 100000' };
    expect(defaultWorkers(machineWith(files))).toBe(4);
  });

  test.each([
    ['cpu,cpuacct', 'cpu,cpuacct'],
    ['cpu,cpuacct', 'cpu'],
    ['cpu', 'cpu'],
    ['cpuacct,cpu', 'cpu,cpuacct'],
  ])('version 1, controllers %s mounted at %s', (controllers, mount) => {
    const files = {
      [cgroup]: `5:memory:/box\n4:${controllers}:/box\n1:name=systemd:/\n`,
      [`/sys/fs/cgroup/${mount}/box/cpu.cfs_quota_us`]: '350000\n',
      [`/sys/fs/cgroup/${mount}/box/cpu.cfs_period_us`]: '100000\n',
      [`/sys/fs/cgroup/${mount}/cpu.cfs_quota_us`]: '-1\n',
      [`/sys/fs/cgroup/${mount}/cpu.cfs_period_us`]: '100000\n',
    };
    expect(defaultWorkers(machineWith(files))).toBe(3);
  });

  test('other controllers of version 1 say nothing about the CPU', () => {
    const files = {
      [cgroup]: '3:cpuset:/box\n2:cpuacct:/box\n',
      '/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us': '100000\n',
      '/sys/fs/cgroup/cpu/box/cpu.cfs_period_us': '100000\n',
    };
    expect(cgroupCpuQuota(machineWith(files).readText)).toBe(Number.POSITIVE_INFINITY);
  });

  test('a hybrid machine obeys whichever version is tighter', () => {
    const files = {
      [cgroup]: '1:cpu:/a\n0::/b\n',
      '/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '500000',
      '/sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000',
      '/sys/fs/cgroup/b/cpu.max': '700000 100000',
    };
    expect(defaultWorkers(machineWith(files))).toBe(5);
  });

  test('a path with colons and damaged lines do no harm', () => {
    const files = {
      [cgroup]: 'what\n::\n0::/a:b\n',
      '/sys/fs/cgroup/a:b/cpu.max': '200000 100000',
    };
    expect(defaultWorkers(machineWith(files))).toBe(2);
  });

  test('this machine has at least one worker and no more than threads', () => {
    expect(defaultWorkers()).toBeGreaterThanOrEqual(1);
    expect(defaultWorkers()).toBeLessThanOrEqual(availableParallelism());
  });
});

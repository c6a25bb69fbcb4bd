import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { statusField } from '../../src/proc-status.js';

const root = mkdtempSync(join(tmpdir(), 'threadfactory-status-'));
afterAll(() => rmSync(root, { recursive: true }));

function status({
  name = 'node',
  groups = 3,
  fields = 'VmHWM:\t   45512 kB\nVmRSS:\t   40000 kB\n',
}): string {
  const path = join(root, `${name.replace(/\W/g, '')}-${groups}-${fields.length}`);
  const list = Array.from({ length: groups }, (_, at) => 100_000 + at).join(' ');
  writeFileSync(path, `Name:\t${name}\nUmask:\t0022\nGroups:\t${list} \nVmPeak:\t 1000000 kB\n${fields}`);
  return path;
}

describe('a field of what Linux tells of a process', () => {
  it('is found behind any number of groups of the process', () => {
    // Its line lies across the end of what is read first with some of these.
    for (const groups of [0, 3, ...Array.from({ length: 40 }, (_, at) => 540 + at), 60_000])
      expect([groups, statusField('VmHWM', status({ groups }))]).toEqual([groups, '45512 kB']);
  });

  it('is not taken from the name of the process', () => {
    expect(statusField('VmHWM', status({ name: 'VmHWM: 77 kB' }))).toBe('45512 kB');
  });

  it('is that of this process where no file is named', () => {
    expect(statusField('Pid')).toBe(String(process.pid));
    expect(statusField('VmHWM')).toMatch(/^\d+ kB$/);
    expect(statusField('CapPrm')).toMatch(/^[0-9a-f]+$/);
  });

  it('is unknown where there is no such file or field', () => {
    expect(statusField('VmHWM', join(root, 'none'))).toBeUndefined();
    expect(statusField('VmHWM', status({ fields: 'Threads:\t1\n' }))).toBeUndefined();
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { highWater } from '../../src/peak-rss.js';

const root = mkdtempSync(join(tmpdir(), 'threadfactory-peak-'));
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

describe('the largest resident set that Linux keeps', () => {
  it('is found behind any number of groups of the process', () => {
    // Its line lies across the end of what is read first with some of these.
    for (const groups of [0, 3, ...Array.from({ length: 40 }, (_, at) => 540 + at), 60_000])
      expect([groups, highWater(status({ groups }))]).toEqual([groups, 45_512 * 1024]);
  });

  it('is not taken from the name of the process', () => {
    expect(highWater(status({ name: 'VmHWM: 77 kB' }))).toBe(45_512 * 1024);
  });

  it('is unknown where there is no such file or field', () => {
    expect(highWater(join(root, 'none'))).toBeUndefined();
    expect(highWater(status({ fields: 'Threads:\t1\n' }))).toBeUndefined();
  });
});

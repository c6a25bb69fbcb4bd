import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findParentDeathSignal, gainsRights } from '../../src/manager/pdeathsig.js';

const root = mkdtempSync(join(tmpdir(), 'threadfactory-pdeathsig-'));
afterAll(() => rmSync(root, { recursive: true }));

function folder(
  name: string,
  program?: { readonly text: string; readonly as?: string; readonly mode?: number },
) {
  const path = join(root, name);
  mkdirSync(path);
  if (program === undefined) return path;
  const { text, as = 'setpriv', mode = 0o755 } = program;
  writeFileSync(join(path, as), text, { mode });
  if (as !== 'setpriv') symlinkSync(as, join(path, 'setpriv'));
  return path;
}

const shell = (body: string) => `#!/bin/sh\n${body}\n`;

describe('a program that gains rights when it starts', () => {
  it('is one with capabilities of its own, run by somebody who has none', () => {
    expect(gainsRights(1000, () => '0000000000000400')).toBe(true);
    expect(gainsRights(1000, () => '0000000000000000')).toBe(false);
    expect(gainsRights(0, () => '000001ffffffffff')).toBe(false);
    expect(gainsRights(1000, () => undefined)).toBe(false);
  });
});

describe.runIf(process.platform === 'linux')('the parent-death signal (Linux alone has one)', () => {
  it('is there where a program of its own knows the flag, without running it', async () => {
    const path = folder('knows', { text: `\0--pdeathsig\0 ${shell('exit 1')}` });
    expect(await findParentDeathSignal(path)).toEqual([join(path, 'setpriv'), '--pdeathsig', 'KILL']);
  });

  it('is not where the program is too old for it', async () => {
    expect(await findParentDeathSignal(folder('old', { text: shell('exit 0') }))).toBeUndefined();
  });

  it('is what a program of many says when it is tried', async () => {
    const knows = folder('many', { text: shell('[ "$1 $2 $3" = "--pdeathsig KILL true" ]'), as: 'busybox' });
    expect(await findParentDeathSignal(knows)).toEqual([join(knows, 'setpriv'), '--pdeathsig', 'KILL']);
    const refuses = folder('few', { text: shell('echo pdeathsig; exit 1'), as: 'busybox' });
    expect(await findParentDeathSignal(refuses)).toBeUndefined();
  });

  it('is looked for in each folder, past what is no program', async () => {
    const empty = folder('empty');
    const notOurs = folder('not-ours', { text: 'pdeathsig', mode: 0o644 });
    const nested = folder('nested');
    mkdirSync(join(nested, 'setpriv'));
    const last = folder('last', { text: 'pdeathsig' });
    const path = ['', '.', '/nowhere', empty, notOurs, nested, last].join(delimiter);
    expect(await findParentDeathSignal(path)).toEqual([join(last, 'setpriv'), '--pdeathsig', 'KILL']);
    expect(await findParentDeathSignal(empty)).toBeUndefined();
  });
});

import { readFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const SNIPPETS = [...README.matchAll(/```js run( esm)?\n([\s\S]*?)```/g)].map(([, esm, text]) => ({
  file: esm === undefined ? 'main.cjs' : 'main.mjs',
  text: text ?? '',
}));

/** What each snippet of the README prints, in its order; lines in any order where workers race. */
const PRINTED: readonly (readonly (string | RegExp)[])[] = [
  [/^1\/4 /, /^4\/4 /, /[0-9a-f]{64}/],
  ['11 by db, 12 by db, 13 by db'],
  ['[ 0, 1, 4, 9, 16, 25 ]'],
  ['0 30', '1 10', '2 20'],
  ['again 2', 'failed 3 E_NEVER', '{ completed: 2, failed: 1 }'],
  [/^\{ completed: 1, skipped: 0, value: '1 files, 1 of them different' \}$|^ {2}value: '1 files/],
  ['[ 2, 3, 4 ]'],
];

it('the README marks as many snippets as are checked here', () => {
  expect(SNIPPETS).toHaveLength(PRINTED.length);
});

it.each(SNIPPETS.map((snippet, at) => ({ ...snippet, at })))(
  'snippet $at of the README runs',
  async ({ file, text, at }) => {
    const ran = await script(text, { file });
    // The last line of `progress: true` where there is no terminal.
    expect(ran.stderr).toMatch(/^(threadfactory: finished in \d+s: \d+ completed\n)?$/);
    expect(ran.code).toBe(0);
    const lines = ran.stdout.split('\n');
    for (const expected of PRINTED[at] ?? []) {
      expect(
        lines.some((line) => (typeof expected === 'string' ? line === expected : expected.test(line))),
      ).toBe(true);
    }
  },
);

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const README = readFileSync(new URL('README.md', ROOT), 'utf8');
const SECTION = /^## Durability\n([\s\S]*?)^## /m.exec(README)?.[1] ?? '';
const PROMISES = SECTION.split(/^- /m).slice(1);
const LINKS = [...SECTION.matchAll(/\[([^\]]+)\]\((test\/[^)]+)\)/g)].map(([, title = '', file = '']) => ({
  title,
  file,
}));

/** The titles of a file's tests: each a string before a function, or before the code of a case; a seed at its end is none. */
function titlesIn(file: string): string[] {
  const text = readFileSync(new URL(file, ROOT), 'utf8');
  return [...text.matchAll(/(['"`])((?:(?!\1)[^\\\n]|\\.)+)\1,\s*(?:(?:async )?\(|`|among\()/g)].map(
    ([, , title = '']) => title.replace(/ \(seed .*\)$/, ''),
  );
}

describe('what the README promises of durability', () => {
  it('is a list, and each of it has a test', () => {
    expect(PROMISES.length).toBeGreaterThan(8);
    for (const promise of PROMISES) expect(promise).toMatch(/\]\(test\/.+\.test\.ts\)/);
  });

  it.each(LINKS)('has the test "$title"', ({ title, file }) => {
    expect(existsSync(new URL(file, ROOT))).toBe(true);
    expect(titlesIn(file)).toContain(title);
  });
});

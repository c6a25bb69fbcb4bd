// Counts the words of all markdown files below node_modules: map in the workers, reduce in managerFinish. An ES module
// with top-level await.
//
//   node word-count/index.mjs [folder]      LIMIT=100 takes the first 100 files; TOP=20 says how many words to print

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import ThreadFactory from 'threadfactory';
import { filesBelow } from '../files.cjs';

const folder = process.argv[2] ?? path.join(import.meta.dirname, '../node_modules');
const limit = Number(process.env.LIMIT || Number.POSITIVE_INFINITY);
const top = Number(process.env.TOP ?? 20);

const factory = new ThreadFactory({
  manager: () => filesBelow({ folder, ending: '.md', limit }),

  // Map: the words of one file. What a job returns travels whole, a Map too.
  async workerProcess(file) {
    const words = new Map();
    for (const [word] of (await readFile(file, 'utf8')).toLowerCase().matchAll(/\p{L}+/gu)) {
      words.set(word, (words.get(word) ?? 0) + 1);
    }
    return words;
  },

  // Reduce: runs once, in this process, when every file is counted. What it returns is `summary.value`.
  managerFinish({ results }) {
    const total = new Map();
    for (const words of results) {
      for (const [word, count] of words ?? []) total.set(word, (total.get(word) ?? 0) + count);
    }
    return [...total].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  },
});

// In a worker start() never settles, so what follows runs in this process only. Nobody listens for 'error' here: were
// there a file that can't be read, start() would reject when the rest is done, and node would print it.
const { value: words, completed, duration } = await factory.start();

for (const [word, count] of words.slice(0, top)) console.log(`${String(count).padStart(8)} ${word}`);

const all = words.reduce((sum, [, count]) => sum + count, 0);
console.log(
  `${all} words, ${words.length} different ones, in ${completed} files, in ${(duration / 1000).toFixed(1)} s`,
);

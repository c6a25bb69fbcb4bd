'use strict';
// Minifies every .js file below node_modules with terser: thousands of files that nobody here wrote. Some don't parse as
// JavaScript: those jobs fail, are told by name, and the run goes on.
//
//   node minify/index.cjs [folder]      LIMIT=100 takes the first 100 files; OUT=folder keeps the minified files there

const fs = require('node:fs/promises');
const path = require('node:path');
const { minify } = require('terser');
const ThreadFactory = require('threadfactory');
const { filesBelow } = require('../files.cjs');

const folder = path.resolve(process.argv[2] ?? path.join(__dirname, '../node_modules'));
const out = process.env.OUT && path.resolve(process.env.OUT);

const manager = () => filesBelow({ folder, ending: '.js', limit: Number(process.env.LIMIT || Infinity) });

const workerProcess = async (file) => {
  const source = await fs.readFile(file, 'utf8');
  const { code } = await minify({ [file]: source }, { module: /^\s*(import|export)\b/m.test(source) });
  if (out) {
    const target = path.join(out, path.relative(folder, file));
    await fs.mkdir(path.dirname(target), { recursive: true });
    await fs.writeFile(target, code);
  }
  return { before: Buffer.byteLength(source), after: Buffer.byteLength(code) };
};

const factory = new ThreadFactory({ manager, workerProcess });

factory.on('completed', ({ done, total, result }) => {
  if (done % 100 === 0)
    console.log(`${done} of ${total}, the last from ${result.before} to ${result.after} bytes`);
});

// terser's error comes from the worker with its own fields: `line` and `col` are where the file stopped making sense.
factory.on('error', (error, failure) => {
  if (failure) {
    console.error(`${path.relative(folder, failure.job)}:${error.line}:${error.col}: ${error.message}`);
  } else {
    console.error(error); // no job's: the folder can't be read, for one
    process.exitCode = 1;
  }
});

factory.on('finished', ({ completed, failed, results, duration }) => {
  const sum = (field) => results.reduce((total, result) => total + (result?.[field] ?? 0), 0);
  const before = sum('before');
  const after = sum('after');
  console.log(
    `${completed} files minified, ${failed} failed, from ${before} to ${after} bytes ` +
      `(${Math.round((100 * after) / (before || 1))} %) in ${(duration / 1000).toFixed(1)} s`,
  );
});

factory.start();

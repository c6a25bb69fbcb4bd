'use strict';
// Compresses files with brotli at its best and slowest, as one does with a site's static files. Every file that is done
// is a line in the journal, so this script can be killed at any moment: started again, it goes on where it was.
//
//   node resume/compress.cjs [folder]      LIMIT=100 takes the first 100 files; OUT=folder puts the results there

const fs = require('node:fs/promises');
const path = require('node:path');
const { promisify } = require('node:util');
const zlib = require('node:zlib');
const ThreadFactory = require('threadfactory');
const { filesBelow } = require('../files.cjs');

const brotli = promisify(zlib.brotliCompress);
const folder = path.resolve(process.argv[2] ?? path.join(__dirname, '../node_modules'));
const out = path.resolve(process.env.OUT ?? path.join(__dirname, '../out/resume'));
const journal = path.join(out, 'run.jsonl');

const files = () => filesBelow({ folder, ending: '.js', limit: Number(process.env.LIMIT ?? 600) });
const targetOf = (file) => path.join(out, 'compressed', `${path.relative(folder, file)}.br`);

const factory = new ThreadFactory(
  {
    manager: files,

    // A job that was running when the script was killed runs again. That does no harm: it writes the same file anew.
    workerProcess: async (file) => {
      const source = await fs.readFile(file);
      const compressed = await brotli(source);
      await fs.mkdir(path.dirname(targetOf(file)), { recursive: true });
      await fs.writeFile(targetOf(file), compressed);
      return { before: source.length, after: compressed.length };
    },
  },
  {
    journal,
    key: (file) => file, // what a job is known by: files may come and go between two starts
  },
);

factory.on('completed', ({ done, total }) => {
  if (done % 10 === 0) console.log(`${done} of ${total}`);
});

factory.on('error', (error, failure) => {
  console.error(failure ? `${failure.job}: ${error.message}` : error);
  process.exitCode = 1;
});

// The results of the files that an earlier start compressed are in `results` as well.
factory.on('finished', ({ completed, skipped, results }) => {
  const sum = (field) => results.reduce((total, result) => total + (result?.[field] ?? 0), 0);
  console.log(
    `${completed} compressed now, ${skipped} before: from ${sum('before')} to ${sum('after')} bytes`,
  );
});

// In a worker `require.main` is another file: only the manager makes the folder and starts.
if (require.main === module) fs.mkdir(out, { recursive: true }).then(() => factory.start());

module.exports = { files, journal, out, targetOf };

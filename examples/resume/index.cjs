'use strict';
// Starts compress.cjs, kills it with SIGKILL when a third of the files is done, starts it again, and looks whether every
// file is there and how many were compressed twice.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const zlib = require('node:zlib');
const { files, journal, out, targetOf } = require('./compress.cjs');

/** Runs compress.cjs, to its end or until `killWhen` says so of a line that it printed. */
async function run(killWhen) {
  const child = spawn(process.execPath, [path.join(__dirname, 'compress.cjs'), ...process.argv.slice(2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  for await (const line of readline.createInterface({ input: child.stdout })) {
    console.log(`  ${line}`);
    if (killWhen(line)) child.kill('SIGKILL');
  }
  const [code, signal] = await closed;
  return { code, signal };
}

/** When each file was compressed, of those that were. */
function timesOf(list) {
  return new Map(
    list
      .map((file) => [file, fs.statSync(targetOf(file), { throwIfNoEntry: false })?.mtimeMs])
      .filter(([, time]) => time !== undefined),
  );
}

const isThird = (line) => {
  const [, done, total] = /^(\d+) of (\d+)$/.exec(line) ?? [];
  return Number(done) >= Number(total) / 3;
};

async function main() {
  fs.rmSync(journal, { force: true });
  fs.rmSync(path.join(out, 'compressed'), { recursive: true, force: true });
  const list = files();

  console.log('The first start, killed midway:');
  const first = await run(isThird);
  const before = timesOf(list);
  console.log(`Ended by ${first.signal}; ${before.size} of ${list.length} files were compressed\n`);

  console.log('The second start:');
  const second = await run(() => false);
  const after = timesOf(list);
  const twice = [...before].filter(([file, time]) => after.get(file) !== time).length;
  const right = list.filter(
    (file) =>
      after.has(file) &&
      zlib.brotliDecompressSync(fs.readFileSync(targetOf(file))).equals(fs.readFileSync(file)),
  ).length;
  console.log(
    `Exit code ${second.code}; ${right} of ${list.length} files are right, ` +
      `${before.size - twice} of them from the first start, ${twice} compressed twice`,
  );
  if (first.signal !== 'SIGKILL' || second.code !== 0 || right !== list.length || twice === before.size) {
    process.exitCode = 1;
  }
}

main();

'use strict';
const { readFileSync, readdirSync } = require('node:fs');

const MiB = 1024 * 1024;

/** Peak memory of this process in MiB, as /usr/bin/time counts it. */
function peakOfThisProcess() {
  return process.resourceUsage().maxRSS / 1024;
}

/** Sum of the peaks (VmHWM) of this process's children in MiB; undefined where there is no /proc. */
function peakOfChildren() {
  if (process.platform !== 'linux') return undefined;
  let kib = 0;
  for (const pid of childPids()) {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    kib += line ? Number(line[1]) : 0;
  }
  return kib / 1024;
}

function childPids() {
  return readdirSync('/proc/self/task').flatMap((id) =>
    readFileSync(`/proc/self/task/${id}/children`, 'utf8').split(' ').filter(Boolean),
  );
}

/**
 * Jobs `{ i }` from a generator that notes the process's memory as it is pulled: the mean over the second half of the
 * first million jobs (or tenth, of a shorter run), when the heap has come to its size, and over the last million.
 */
function sampled(count) {
  const window = Math.min(1_000_000, Math.floor(count / 10));
  const every = Math.max(1, Math.floor(window / 50));
  const first = [];
  const last = [];
  function* jobs() {
    for (let i = 0; i < count; i++) {
      if (i % every === 0) {
        if (i >= window / 2 && i < window) first.push(process.memoryUsage.rss() / MiB);
        else if (i >= count - window) last.push(process.memoryUsage.rss() / MiB);
      }
      yield { i };
    }
  }
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  return { jobs, report: () => ({ rssFirst: mean(first), rssLast: mean(last) }) };
}

module.exports = { peakOfThisProcess, peakOfChildren, sampled };

import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

/** Later ones compile the loop with another compiler first, which traces nothing. */
const isTraced = Number.parseInt(process.versions.node, 10) <= 22;

describe("a job's function", () => {
  it.skipIf(!isTraced)(
    'is compiled by itself, not as a part of the loop that calls it (up to Node 22, which can be traced)',
    async () => {
      const ran = await script(`${HEAD}
      function loopOfAJob(n) {
        let x = n | 0;
        for (let i = 0; i < 20_000; i += 1) x ^= x << 13;
        return x;
      }
      const f = new ThreadFactory(
        { manager: () => Array.from({ length: 6000 }, (_, n) => n), workerProcess: loopOfAJob },
        // What V8 prints goes to the worker's standard output.
        { workers: 1, execArgv: ['--trace-turbo-inlining'] },
      );
      f.start().then(({ completed }) => console.log(JSON.stringify([completed])));`);
      expect(ran.said).toEqual([[6000]]);
      const inlined = ran.stdout.match(/^Inlining .* into .*$/gm) ?? [];
      expect(inlined.join('\n')).toMatch(/ into .*runThrough/);
      expect(inlined.filter((line) => /^Inlining .*loopOfAJob.* into /.test(line))).toEqual([]);
    },
  );

  it('gets no `this`, nor do the other four: it would be something of ours', async () => {
    const ran = await script(`'use strict';
      ${HEAD}
      const own = [];
      const f = new ThreadFactory({
        manager() {
          own.push(this);
          return [1];
        },
        workerStartup() {
          return [this];
        },
        workerProcess(job, { local }) {
          return [...local, this].map(String);
        },
        workerFinish() {
          console.log(JSON.stringify([String(this)]));
        },
        managerFinish({ results }) {
          return [...own, this, ...results[0]].map(String);
        },
      });
      f.start().then(({ value }) => console.log(JSON.stringify(value)));`);
    expect(ran.said).toEqual([['undefined'], Array(4).fill('undefined')]);
  });
});

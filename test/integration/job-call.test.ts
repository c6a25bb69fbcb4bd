import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, project, removeProjects, runIn, script } from '../helpers/script.js';

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

  it.each([
    ['in an object', ''],
    ['in an instance of a class', ''],
    ['in the manager itself', ', { workers: 0 }'],
  ])('is called as a method of its spec, and so are the other four: %s', async (kind, options) => {
    const members = `{
      factor = 10;
      manager() { return [this.factor]; }
      workerStartup() { return this.factor; }
      workerProcess(job, { local }) { return [job, local, this.factor]; }
      async workerFinish() { console.log(JSON.stringify([this.factor])); }
      managerFinish({ results }) { return [this.factor, ...results[0]]; }
    }`;
    const object = members.replace('factor = 10;', 'factor: 10,').replaceAll(/\}$/gm, '},').slice(0, -1);
    const spec = kind.includes('class') ? `new (class ${members})()` : object;
    const ran = await script(`${HEAD}
      const f = new ThreadFactory(${spec}${options});
      f.start().then(({ value }) => console.log(JSON.stringify(value)));`);
    expect(ran.said).toEqual([[10], [10, 10, 10, 10]]);
  });

  it('is called as a method of the module that exports it', async () => {
    const spec = `exports.factor = 10;
      exports.manager = function () { return [this.factor]; };
      exports.workerProcess = function (job) { return job * this.factor; };`;
    const main = `${HEAD}new ThreadFactory('./spec.cjs').start().then(({ results }) => say(results));`;
    const ran = await runIn(await project({ 'spec.cjs': spec, 'main.cjs': main }), 'main.cjs');
    expect(ran.said).toEqual([[100]]);
  });
});

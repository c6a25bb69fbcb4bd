import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, project, removeProjects, runIn } from '../helpers/script.js';

afterAll(removeProjects);

describe('handleSignals', () => {
  it('two SIGINTs: the first finishes in good order with code 130', async () => {
    let asked = false;
    const folder = await project({
      'main.cjs': `${HEAD}
        const f = new ThreadFactory({
          manager: () => Array.from({ length: 1000 }, (_, i) => i),
          worker: (n) => new Promise((r) => setTimeout(r, 20, n)),
          workerFinish: () => say({ finish: true }),
        }, { handleSignals: true, workers: 1 });
        f.once('completed', () => say({ go: true }));
        f.start().then((s) => say({ stopped: s.stopped }));`,
    });
    const ran = await runIn(folder, 'main.cjs', {
      onOutput: (text, pid) => {
        if (asked || !text.includes('go')) return;
        asked = true;
        process.kill(pid, 'SIGINT');
      },
    });
    expect(ran.said).toEqual([{ go: true }, { finish: true }, { stopped: 'interrupt' }]);
    expect(ran.code).toBe(130);
  });
});

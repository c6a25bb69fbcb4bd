/**
 * Builds `dist` in a folder beside it and swaps the two at the end, so that nothing that runs meanwhile sees half a
 * build and nothing stale is left in it.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addDoors, addNamedDoors } from './doors.mjs';
import { buildPage } from './page.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const work = await mkdtemp(join(root, '.build-'));

try {
  const fresh = join(work, 'dist');
  await mkdir(fresh);
  runTsup(fresh);
  await addDoors(fresh);
  await addNamedDoors(fresh, 'bullmq');
  await buildPage(root, fresh);
  await swap(fresh);
} finally {
  await rm(work, { recursive: true, force: true });
}

async function swap(fresh) {
  for (let attempt = 0; ; attempt += 1) {
    await rename(dist, join(work, `old-${attempt}`)).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
    try {
      return await rename(fresh, dist);
    } catch (error) {
      // Another build put its own there in between.
      if (error.code !== 'ENOTEMPTY' || attempt === 9) throw error;
    }
  }
}

function runTsup(outDir) {
  const cli = join(
    dirname(createRequire(import.meta.url).resolve('tsup/package.json')),
    'dist',
    'cli-default.js',
  );
  const { status, error } = spawnSync(process.execPath, [cli, '--out-dir', outDir], {
    cwd: root,
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error('tsup failed: see above.');
}

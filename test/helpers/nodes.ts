import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { npmEnvironment } from './npm.js';

const run = promisify(execFile);
/** The versions of Node that the package promises to run on. */
export const MAJORS = [20, 22, 24, 26];

const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache/threadfactory-nodes');

/**
 * The path of a Node of this major version: the one that runs the tests where it is that, otherwise one that npm
 * installs, once, under `node_modules/.cache`.
 */
export async function nodeOfMajor(major: number): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const home = join(CACHE, `node${major}`);
  const [platform, file] = process.platform === 'win32' ? ['win', 'node.exe'] : [process.platform, 'node'];
  const program = join(home, 'node_modules', `node${major}`, 'bin', file);
  if (!(await exists(program)))
    await install(`node${major}@npm:node-${platform}-${process.arch}@${major}`, home);
  return program;
}

/** Installs beside the wanted place and moves there when it is whole: another run may be doing the same. */
async function install(alias: string, home: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'installing-'));
  try {
    await writeFile(join(work, 'package.json'), '{ "private": true }\n');
    const flags = ['install', '--no-audit', '--no-fund', '--no-package-lock'];
    await run('npm', [...flags, alias], { cwd: work, env: npmEnvironment() });
    await rename(work, home);
  } catch (error) {
    if (!(await exists(home))) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

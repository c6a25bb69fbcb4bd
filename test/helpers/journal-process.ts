import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';

const SOURCES = resolve(import.meta.dirname, '../../src');

/** A process that runs a script against the journal, and says what it does line by line. */
export interface JournalProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The next line it prints. */
  said(): Promise<string>;
  /** Writes a line to its standard input. */
  tell(line: string): void;
  /** Ends its standard input, and waits until it has ended. */
  end(): Promise<void>;
  /** Kills it, and waits until it has gone. */
  kill(): Promise<void>;
}

/** Compiles files of `src`, and all that they import, into a folder, so that a plain process can load them. */
export function compile(files: readonly string[], folder: string): void {
  buildSync({
    entryPoints: files.map((file) => join(SOURCES, file)),
    outbase: SOURCES,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
  });
}

let scripts = 0;

/** Starts a process with this text as its ES module: a file of its own, since others may be reading theirs. */
export function start(text: string, folder: string): JournalProcess {
  scripts += 1;
  const script = join(folder, `script-${scripts}.mjs`);
  writeFileSync(script, text);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [script], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // It may have gone before it read all that it was told.
  child.stdin.on('error', () => {});
  return {
    child,
    pid: child.pid ?? 0,
    said: async () => {
      const { done, value } = await lines.next();
      if (done) throw new Error('The process ended before it said anything more');
      return value;
    },
    tell: (line) => child.stdin.write(`${line}\n`),
    end: async () => {
      child.stdin.end();
      await ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';

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

/**
 * Compiles a file of `src` and all that it imports into a folder, so that a plain process can load it.
 *
 * @returns the path of what was made of the file
 */
export function compile(file: string, folder: string, done = new Set<string>()): string {
  const target = join(folder, file.replace(/\.ts$/, '.mjs'));
  if (done.has(file)) return target;
  done.add(file);
  const source = readFileSync(join(SOURCES, file), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
    },
  });
  const linked = outputText.replaceAll(/from '(\.[^']*)\.js'/g, (_, path: string) => {
    compile(join(dirname(file), `${path}.ts`), folder, done);
    return `from '${path}.mjs'`;
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, linked);
  return target;
}

/** Starts a process with this text as its ES module. */
export function start(text: string, folder: string): JournalProcess {
  const script = join(folder, 'script.mjs');
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

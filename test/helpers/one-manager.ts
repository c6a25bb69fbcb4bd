import { expect, it } from 'vitest';
import { HEAD, project, type Ran, type RunOptions, runIn } from './script.js';

/** One script of many cases, and what each of them said. */
export interface OneManager {
  /**
   * Adds a case: the body of a function which makes its factories and returns what is then awaited. In it `say`
   * prints a JSON line of this case, in the manager and in the workers.
   * @returns what gives the lines of the case as soon as it is over; rejects with what it threw
   */
  add(body: string): () => Promise<unknown[]>;
  /** The whole process, when it has ended by itself. */
  whole(): Promise<Ran>;
}

interface Line {
  readonly number: number;
  readonly said?: unknown;
  readonly over?: true;
  readonly threw?: string;
}

/** How such a script begins and ends. All factories of a module are made before the first starts; a worker makes them too. */
const BEGIN = `${HEAD}
const cases = [];
const add = (make) => {
  const number = cases.length;
  cases.push({ number, run: make((said) => say({ number, said })) });
};
`;
const END = `
(async () => {
  if (ThreadFactory.isWorker) return;
  for (const { number, run } of cases) {
    try {
      await run();
      say({ number, over: true });
    } catch (error) {
      say({ number, threw: String(error?.stack ?? error) });
    }
  }
})();
`;

/**
 * Runs many cases one after another in one manager process, as a process costs more than most cases do. The process
 * begins with the first question for a case, and a test that asks waits for its own case only.
 */
export function oneManager(options: RunOptions = {}): OneManager {
  const bodies: string[] = [];
  const waiting = new Map<number, (line: Line) => void>();
  const ends = new Map<number, Line>();
  const said: unknown[][] = [];
  let running: Promise<Ran> | undefined;
  let read = 0;

  const onOutput = (stdout: string): void => {
    const whole = stdout.lastIndexOf('\n') + 1;
    for (const text of stdout.slice(read, whole).split('\n').slice(0, -1)) {
      const line = JSON.parse(text) as Line;
      if (line.over === undefined && line.threw === undefined) said[line.number]?.push(line.said);
      else {
        ends.set(line.number, line);
        waiting.get(line.number)?.(line);
      }
    }
    read = whole;
  };

  const run = async (): Promise<Ran> => {
    const text = BEGIN + bodies.map((body) => `add((say) => {${body}\n});\n`).join('') + END;
    return await runIn(await project({ 'main.cjs': text }), 'main.cjs', { ...options, onOutput });
  };

  const whole = async (): Promise<Ran> => {
    running ??= run();
    return await running;
  };

  const linesOf = async (number: number): Promise<unknown[]> => {
    const ran = whole();
    const end =
      ends.get(number) ??
      (await Promise.race([
        new Promise<Line>((resolve) => waiting.set(number, resolve)),
        ran.then(() => ends.get(number)),
      ]));
    if (end?.threw !== undefined) throw new Error(end.threw);
    if (end === undefined)
      throw new Error(`The process ended before this case was over: ${(await ran).stderr}`);
    return said[number] ?? [];
  };

  const add = (body: string): (() => Promise<unknown[]>) => {
    const number = bodies.push(body) - 1;
    said.push([]);
    return async () => await linesOf(number);
  };
  return { add, whole };
}

/** Adds a case to the script of a manager, and the test that it says just these lines. */
export function fact(manager: OneManager, title: string, body: string, expected: readonly unknown[]): void {
  const said = manager.add(body);
  it(title, async () => {
    expect(await said()).toEqual(expected);
  });
}

import { inspect } from 'node:util';
import type { ErrorGroup, ErrorGroups, JobName } from './data.js';
import { clip, LIMITS } from './limits.js';

/** Groups errors by class and message. A group is what they have in common, with an example. */
export class Grouping {
  readonly #groups = new Map<string, Group>();
  #others = 0;

  /**
   * @param job whose error it is
   * @param at when, in the time of the report
   * @returns what `remove` takes; undefined where there are too many groups already
   */
  add(error: Error, job: JobName, at: number): Group | undefined {
    const pattern = patternOf(error.message);
    const id = `${error.name}\n${pattern}`;
    let group = this.#groups.get(id);
    if (group === undefined) {
      if (this.#groups.size >= LIMITS.groups) {
        this.#others += 1;
        return undefined;
      }
      group = new Group(error, pattern, at);
      this.#groups.set(id, group);
    }
    group.add(error, job, at);
    return group;
  }

  /** Takes an error out again that `add` put in, with that very name: its job has completed since, or failed otherwise. */
  remove(group: Group | undefined, job: JobName): void {
    if (group === undefined) this.#others -= 1;
    else group.remove(job);
  }

  /** The groups as they stand in the page. @param since what their times are counted from, in epoch milliseconds */
  result(since: number): ErrorGroups {
    const groups = [...this.#groups.values()].filter(({ count }) => count > 0);
    groups.sort((a, b) => b.count - a.count);
    return { groups: groups.map((group) => group.result(since)), others: this.#others };
  }
}

/** Errors of one class and message. */
export class Group {
  count = 0;
  #jobs: JobName[] = [];
  #isVaried = false;
  #lastAt: number;

  constructor(
    private readonly example: Error,
    private readonly pattern: string,
    private readonly firstAt: number,
  ) {
    this.#lastAt = firstAt;
  }

  add(error: Error, job: JobName, at: number): void {
    this.count += 1;
    this.#lastAt = at;
    if (error.message !== this.example.message) this.#isVaried = true;
    if (this.#jobs.length < LIMITS.jobsInGroup) this.#jobs.push(job);
  }

  remove(job: JobName): void {
    this.count -= 1;
    this.#jobs = this.#jobs.filter((each) => each !== job);
  }

  result(since: number): ErrorGroup {
    const { example } = this;
    const { code } = example as { code?: unknown };
    return {
      name: clip(example.name, LIMITS.message),
      message: clip(this.#isVaried ? this.pattern : example.message, LIMITS.message),
      ...(typeof code === 'string' || typeof code === 'number' ? { code: clip(String(code), 100) } : {}),
      count: this.count,
      stack: clip(stackOf(example), LIMITS.stack),
      jobs: this.#jobs,
      firstAt: this.firstAt - since,
      lastAt: this.#lastAt - since,
    };
  }
}

/** What messages of the same kind have in common: numbers, identifiers and quoted names differ from job to job. */
export function patternOf(message: string): string {
  return clip(message, LIMITS.message)
    .replace(/"[^"]+"|`[^`]+`|(?<![\p{L}\d])'[^']+'/gu, (quoted) => `${quoted[0]}…${quoted[0]}`)
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b/gi, '#')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, '#')
    .replace(/\d+(?:[.,]\d+)*/g, '#');
}

const MAX_CAUSES = 5;

/** The stack with those of its causes. */
function stackOf(error: Error): string {
  const parts: string[] = [];
  for (let each: unknown = error; each !== undefined && parts.length <= MAX_CAUSES; ) {
    if (!(each instanceof Error)) {
      parts.push(inspect(each));
      break;
    }
    parts.push(each.stack ?? `${each.name}: ${each.message}`);
    each = each.cause;
  }
  return parts.join('\nCaused by: ');
}

import { describe, expect, test } from 'vitest';
import { SpecError } from '../../src/errors.js';
import { checkSpec, exportsFunctions, isAnotherSpec, specOfModule, textsOf } from '../../src/spec.js';

const manager = () => [1, 2, 3];
const workerProcess = (job: number) => job * 2;
const EXAMPLE = 'An example: { manager: () => [1, 2, 3], workerProcess: (job) => job * 2 }.';

/** The text of the SpecError. */
function refusal(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(SpecError);
    return (error as SpecError).message;
  }
  throw new Error('Nothing was thrown');
}

describe('the check of a spec', () => {
  test('gives all functions, under one name each', () => {
    const rest = { workerStartup() {}, workerFinish() {}, managerFinish() {} };
    const spec = { manager, workerProcess, ...rest };
    expect(checkSpec(spec)).toEqual({ self: spec, ...spec });
    const other = { manager, worker: workerProcess, ...rest };
    expect(checkSpec(other)).toEqual({ self: other, ...spec });
    expect(checkSpec({ manager, worker: workerProcess }).workerStartup).toBeUndefined();
  });

  test('finds functions of a class', () => {
    class Spec {
      manager() {
        return [];
      }
      worker() {}
    }
    expect(checkSpec(new Spec()).workerProcess).toBe(Spec.prototype.worker);
  });

  test('needs no manager where jobs come from elsewhere', () => {
    const { manager: none } = checkSpec({ workerProcess }, 'The spec', false);
    expect(none(undefined)).toEqual([]);
  });

  test.each([
    [undefined, '`undefined`'],
    [null, '`null`'],
    [manager, 'a function'],
    [5, '`5` (number)'],
  ])('refuses %s: it must be an object of functions', (spec, got) => {
    expect(refusal(() => checkSpec(spec))).toBe(
      `Expected the spec to be an object of functions, got ${got}. ${EXAMPLE}`,
    );
  });

  test.each([
    ['manager', [1, 2, 3], 'an array'],
    ['workerStartup', null, '`null`'],
    ['workerProcess', 'work.js', "`'work.js'` (string)"],
    ['worker', {}, 'an object'],
    ['workerFinish', Promise.resolve(), 'a Promise'],
    ['managerFinish', 1, '`1` (number)'],
  ])('refuses a %s that is no function', (name, value, got) => {
    expect(refusal(() => checkSpec({ manager, workerProcess, [name]: value }, 'the module a.js'))).toBe(
      `Expected \`${name}\` of the module a.js to be a function, got ${got}. ${EXAMPLE}`,
    );
  });

  test('says what is missing, or there twice', () => {
    expect(refusal(() => checkSpec({ manager }))).toBe(
      `Expected the spec to have \`workerProcess\` (or \`worker\`), which does one job, got none. ${EXAMPLE}`,
    );
    expect(refusal(() => checkSpec({ workerProcess }))).toBe(
      `Expected the spec to have \`manager\`, which returns the list of jobs, got none. ${EXAMPLE}`,
    );
    expect(refusal(() => checkSpec({ manager, workerProcess, worker: workerProcess }))).toBe(
      `Expected the spec to have \`workerProcess\` or \`worker\`, two names of one function, got both. ${EXAMPLE}`,
    );
  });
});

describe('the spec of a module', () => {
  const spec = { manager, workerProcess };

  test.each([
    ['exports by name', spec],
    ['a default export', { default: spec }],
    ['`module.exports` under import()', { default: spec, ...spec }],
    ['a transpiled default export under import()', { default: { default: spec, __esModule: true } }],
    ['the other name of workerProcess', { default: { manager, worker: workerProcess } }],
  ])('is found as %s', (_, namespace) => {
    expect(exportsFunctions(namespace)).toBe(true);
    expect(specOfModule(namespace, 'a.js')).toMatchObject({ manager, workerProcess });
  });

  test('that exports none says so', () => {
    expect(exportsFunctions({ default: () => {} })).toBe(false);
    expect(refusal(() => specOfModule({ default: () => {} }, 'a.js'))).toMatch(
      /^Expected the module a\.js to have `workerProcess` \(or `worker`\), /,
    );
    expect(refusal(() => specOfModule(undefined, 'a.js'))).toMatch(
      /^Expected the module a\.js to be an object /,
    );
  });
});

describe('a spec found in a worker', () => {
  const wanted = textsOf(checkSpec({ manager, workerProcess }));
  const other = checkSpec({ manager, workerProcess: (job: number) => job - 1 });
  const unread = () => {
    throw new Error('The module was read in vain');
  };

  test('is the wanted one where its functions have the same texts', () => {
    expect(isAnotherSpec(wanted, checkSpec({ manager, workerProcess }), unread)).toBe(false);
  });

  test('is another one where the texts of the functions of both stand in the module', () => {
    const text = [...wanted, ...textsOf(other)].join(';\n');
    expect(isAnotherSpec(wanted, other, () => `// a module\n${text}`)).toBe(true);
  });

  test('is another one though one of its functions is of another file', () => {
    const elsewhere = (): string => 'imported';
    const mixed = checkSpec({ manager, workerProcess: (job: number) => job - 1, workerStartup: elsewhere });
    const here = textsOf(mixed).filter((text) => text !== String(elsewhere));
    expect(isAnotherSpec(wanted, mixed, () => [...wanted, ...here].join(';\n'))).toBe(true);
  });

  test('may be the wanted one where its own texts do not, since it was transformed in the worker', () => {
    expect(isAnotherSpec(wanted, other, () => `// a module\n${wanted.join(';\n')}`)).toBe(false);
  });

  test('may be the wanted one where the wanted texts do not, since the module was transformed in the manager', () => {
    expect(isAnotherSpec(wanted, other, () => '// a module')).toBe(false);
  });
});

describe('a function of an inline spec', () => {
  test.each([
    ['workerStartUp', 'workerStartup'],
    ['managerFinsh', 'managerFinish'],
    ['workerfinish', 'workerFinish'],
  ])('with a misspelt name is refused with the name that was meant: %s', (name, meant) => {
    const check = () => checkSpec({ manager, workerProcess, [name]: () => {} });
    expect(check).toThrow(expect.objectContaining({ code: 'ERR_SPEC' }) as Error);
    expect(check).toThrow(`did you mean \`${meant}\``);
  });

  test('of another name, a value of any name, and any export of a module are left alone', () => {
    expect(() => checkSpec({ manager, workerProcess, parseLine: () => {}, workerFinis: 1 })).not.toThrow();
    expect(() => checkSpec({ manager, workerProcess, managerFinsh: () => {} }, 'The module x')).not.toThrow();
  });
});

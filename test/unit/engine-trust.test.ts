import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bullmq } from '../../src/engines/bullmq.js';
import {
  checkServer,
  connectionFromEnv,
  redact,
  secretsOf,
  withoutSecrets,
} from '../../src/engines/connection.js';
import { readEnvelope, writeEnvelope } from '../../src/engines/envelope.js';
import { fromJson, toJson } from '../../src/engines/json-values.js';
import { checkName, namesOf, runOf } from '../../src/engines/names.js';
import { readOutcome, writeOutcome } from '../../src/engines/outcome.js';
import { pack } from '../../src/engines/packing.js';
import { errorToJson } from '../../src/engines/wire-errors.js';
import { checkWorkOptions } from '../../src/engines/work-options.js';
import { errorFromWire } from '../../src/error-wire.js';

/** What comes through the queue was written by whoever can write there. */

const HEAD = { run: 'r1', chunk: 'r1.s-0', spec: 'abc', timeout: 100 };
const SECRET = 'between us';
const envelope = writeEnvelope(HEAD, { first: 3, texts: ['1', undefined, '{"a":[true]}'] }, SECRET);

describe('an envelope', () => {
  it('gives back what was written', () => {
    const { jobs } = readEnvelope(JSON.parse(JSON.stringify(envelope)), HEAD.chunk, SECRET);
    expect(jobs).toEqual({ first: 3, jobs: [1, undefined, { a: [true] }] });
  });

  it.each<[string, object | null]>([
    ['no object', null],
    ['a further key', { ...envelope, module: '/etc/passwd' }],
    ['a missing key', { ...envelope, spec: undefined }],
    ['another version', { ...envelope, v: 2 }],
    ['a run that is no name', { ...envelope, run: 'a:b' }],
    ['the id of another chunk', { ...envelope, chunk: 'r1.s-1' }],
    ['a negative time limit', { ...envelope, timeout: -1 }],
    ['too many jobs', { ...envelope, count: 1_000_000 }],
    ['a body of another length', { ...envelope, count: 2 }],
    ['a body that is no JSON', { ...envelope, body: '{' }],
    ['a body with a further key', { ...envelope, body: '{"first":0,"jobs":[1,2,3],"env":{}}' }],
    ['indices that are none', { ...envelope, body: '{"first":0,"jobs":[1,2,3],"indices":[0,1,-1]}' }],
    ['a huge body', { ...envelope, body: `{"first":0,"jobs":["${'x'.repeat(3_000_000)}"]}` }],
  ])('is refused with %s', (_, data) => {
    expect(() => readEnvelope(data, HEAD.chunk, undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_ENGINE_ENVELOPE' }),
    );
  });

  it.each([
    ['with another secret', envelope, 'another secret'],
    ['whose jobs were changed', { ...envelope, body: envelope.body.replace('true', 'null') }, SECRET],
    ['whose time limit was changed', { ...envelope, timeout: 1 }, SECRET],
    ['without a signature', { ...envelope, mac: undefined }, SECRET],
  ])('%s is refused', (_, { mac, ...data }, secret) => {
    const given = mac === undefined ? data : { ...data, mac };
    expect(() => readEnvelope(given, HEAD.chunk, secret)).toThrow('not signed');
  });
});

describe('an outcome', () => {
  const zeros = { ids: [1, 1], startedAt: 5, starts: [0, 0], durations: [1, 2] };
  const about = { chunk: 'c', count: 2, secret: undefined };
  const sealed = (outcome: object): { body: string } => ({ body: JSON.stringify(outcome) });

  it('gives back what was written, signed', () => {
    const written = writeOutcome(
      { machine: 'm', texts: ['1', undefined], absent: [1], ...zeros },
      'c',
      SECRET,
    );
    expect(readOutcome(written, { ...about, secret: SECRET })).toMatchObject({
      values: [1, null],
      absent: [1],
    });
    expect(() => readOutcome(written, { ...about, chunk: 'd', secret: SECRET })).toThrow('not signed');
    expect(() => readOutcome({ body: written.body }, { ...about, secret: SECRET })).toThrow('not signed');
  });

  it.each([
    ['too few results', { machine: 'm', values: [1], ...zeros }],
    ['two endings of a job', { machine: 'm', values: [1, 2], ...zeros, absent: [0], again: [0] }],
    ['a position beyond its end', { machine: 'm', values: [1, 2], ...zeros, again: [2] }],
    ['a failure of no kind', { machine: 'm', values: [1, 2], ...zeros, failed: [[0, 'magic', {}]] }],
    ['a machine that is no name', { machine: '../m', values: [1, 2], ...zeros }],
    ['a further key', { machine: 'm', values: [1, 2], ...zeros, eval: '1' }],
    ['times that are none', { machine: 'm', values: [1, 2], ...zeros, durations: [1, -1] }],
  ])('is refused with %s', (_, outcome) => {
    expect(() => readOutcome(sealed(outcome), about)).toThrow(
      expect.objectContaining({ code: 'ERR_ENGINE_ENVELOPE' }),
    );
  });
});

describe('JSON from the queue', () => {
  it.each([
    ['as it is', '{"a":{"__proto__":{"polluted":true},"b":1}}'],
    ['with escapes', '{"a":{"\\u005f_proto\\u005f_":{"polluted":true},"b":1}}'],
  ])('has no __proto__ key, written %s', (_, text) => {
    const { a } = fromJson(text) as { a: object };
    expect(Object.keys(a)).toEqual(['b']);
    expect((Object.assign({}, a) as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [new Map(), 'it is an instance of Map'],
    [{ a: { b: [1, Number.NaN] } }, 'property "a.b[1]" is NaN'],
    [{ a: undefined }, 'property "a" is undefined'],
    [{ n: 1n }, 'property "n" is a bigint'],
    [[new Date(0)], 'property "[0]" is an instance of Date'],
    [{ f: () => {} }, 'property "f" is a function'],
    [[-0], 'property "[0]" is -0'],
    [JSON.parse('{"__proto__":1}'), '__proto__'],
    [Buffer.from('x'), 'an instance of Buffer'],
  ])('is refused by name where it would change %o', (value, words) => {
    const refusal = toJson(value, 'job 1');
    expect(refusal).toBeInstanceOf(Error);
    expect((refusal as Error).message).toContain(`Cannot send job 1: ${words.startsWith('__') ? '' : ''}`);
    expect((refusal as Error).message).toContain(words);
  });
});

describe('an error from a machine', () => {
  it('is rebuilt from tables, capped', () => {
    const error = Object.assign(new RangeError('m'.repeat(10_000)), {
      code: 'E',
      kept: { a: 1 },
      dropped: new Map(),
      long: 'x'.repeat(10_000),
    });
    error.stack = 's'.repeat(100_000);
    const back = errorFromWire(JSON.parse(JSON.stringify(errorToJson(error)))) as RangeError & typeof error;
    expect(back).toBeInstanceOf(RangeError);
    expect(back).toMatchObject({ code: 'E', kept: { a: 1 } });
    expect(back.dropped).toBeUndefined();
    expect(back.message.length).toBeLessThan(5_000);
    expect(back.long.length).toBeLessThan(5_000);
    expect(back.stack?.length).toBeLessThan(20_000);
  });

  it('names no class of ours or of anybody that is not in the tables, whatever it says', () => {
    const forged = {
      class: 'Function',
      name: 'constructor',
      message: 'x',
      fields: [['__proto__', { value: 1 }]],
    };
    const back = errorFromWire(forged);
    expect(Object.getPrototypeOf(back)).toBe(Error.prototype);
  });
});

describe('jobs for the queue', () => {
  it('are cut into chunks of a bounded size', () => {
    const job = 'x'.repeat(100_000);
    const { chunks, refused } = pack({ first: 10, jobs: [job, job, job, job, job] });
    expect(refused).toEqual([]);
    expect(chunks.map(({ parcel }) => parcel.indices)).toEqual([[10, 11], [12, 13], [14]]);
  });

  it('that are too large are refused before they are sent', () => {
    const { chunks, refused } = pack({ first: 0, jobs: [1, 'ä'.repeat(600_000)] });
    expect(chunks).toHaveLength(1);
    expect(refused).toMatchObject([{ position: 1, error: { code: 'ERR_ENGINE_PAYLOAD_TOO_LARGE' } }]);
  });
});

describe('secrets', () => {
  const connection = { url: 'redis://user:p%40ss@host:1', password: 'hunter2' };

  it('are taken out of every text', () => {
    const text = redact('connect redis://user:p%40ss@host:1 with hunter2 or p@ss', secretsOf(connection));
    expect(text).not.toMatch(/hunter2|p%40ss|p@ss/);
  });

  it('do not reach the children: neither by name nor by value', () => {
    const env = {
      PATH: '/bin',
      REDIS_URL: 'redis://host',
      redis_password: 'x',
      MY_COPY: 'is hunter2',
      AWS_KEY: 'k',
    };
    expect(withoutSecrets(env, secretsOf(connection), undefined)).toEqual({ PATH: '/bin', AWS_KEY: 'k' });
    expect(withoutSecrets(env, secretsOf(connection), ['PATH', 'REDIS_URL'])).toEqual({ PATH: '/bin' });
  });

  it('come from the environment or a file, and a file that is not there is said without them', () => {
    expect(connectionFromEnv({ REDIS_URL: 'redis://h', REDIS_PASSWORD: 'x' })).toEqual({
      url: 'redis://h',
      password: 'x',
    });
    expect(() => connectionFromEnv({})).toThrow('REDIS_URL');
    expect(() => connectionFromEnv({ REDIS_URL: 'redis://h', REDIS_PASSWORD_FILE: '/nowhere/x' })).toThrow(
      'ENOENT',
    );
  });
});

describe('a connection', () => {
  it.each([{ url: undefined }, { url: '' }])(
    'without the address it is to have is refused: %o',
    (connection) => {
      expect(() => checkServer(connection as never)).toThrow(/is the variable set/);
    },
  );

  it.each([{}, { host: 'h' }, { url: 'redis://h' }, { url: undefined, host: 'h' }])(
    'may be %o',
    (connection) => {
      expect(() => checkServer(connection as never)).not.toThrow();
    },
  );
});

describe('names', () => {
  it('are checked, and every key begins with the prefix', () => {
    expect(() => checkName('a:b', 'name')).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
    const { queue, lease, machines, cancelled } = namesOf('tf', 'november');
    expect(queue).toBe('november-v1');
    for (const key of [lease, machines, cancelled]) expect(key.startsWith('tf:november-v1:')).toBe(true);
  });

  it('of a run are those of its journal, wherever its path is given from', () => {
    expect(runOf('run.jsonl')).toBe(runOf(resolve('run.jsonl')));
    expect(runOf('run.jsonl')).not.toBe(runOf(resolve('elsewhere', 'run.jsonl')));
    expect(runOf(undefined)).not.toBe(runOf(undefined));
  });
});

describe('what is no option is refused in words', () => {
  const connection = { host: 'h' };
  const work = (options: unknown) => () => checkWorkOptions(options, {});
  it.each([
    [
      () => bullmq(null as never),
      'Expected `options` to be an object such as `{ connection, name }`, got `null`',
    ],
    [work([]), 'Expected `options` to be an object such as `{ name, connection }`, got an array'],
    [
      () => bullmq({ connection, name: 'n', bullmq: 5 as never }),
      "Expected `bullmq` to be the module itself, as `require('bullmq')`, got `5` (number)",
    ],
    [
      work({ connection, name: 'n', bullmq: {} }),
      "Expected `bullmq` to be the module itself, as `require('bullmq')`, got an object",
    ],
    [
      work({ connection, name: 'n', concurrency: 1e9 }),
      'Expected `concurrency` to be a whole number, from 1 to 65536, got `1000000000` (number)',
    ],
  ])('%#', (make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message }) as Error);
  });
});

import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { completed, run, useJournals } from '../helpers/journal.js';

const journals = useJournals();

/** A journal of three jobs, closed; the text of each of its lines. */
function threeJobs(): string[] {
  const journal = journals.open();
  for (const index of [0, 1, 2]) journal.record([completed(index, `jöb ${index}`, `résult ${index}`)]);
  journal.close();
  return journals.text().match(/.*\n/g) ?? [];
}

function recalled(): unknown[] {
  const journal = journals.open();
  const results = [0, 1, 2].map((index) => journal.recall(index, `jöb ${index}`)?.result);
  journal.close();
  return results;
}

describe('a torn last line', () => {
  test('is dropped wherever it was cut, and its job runs again', () => {
    const lines = threeJobs();
    const whole = Buffer.from(lines.join(''));
    const last = Buffer.byteLength(lines[3] ?? '');
    for (let cut = 1; cut < last; cut++) {
      writeFileSync(journals.path(), whole.subarray(0, whole.length - cut));
      const journal = journals.open();
      expect(journal.recorded).toBe(2);
      expect(journals.text()).toBe(lines.slice(0, 3).join(''));
      run(journal, 2, 'jöb 2', 'second try');
      journal.close();
      expect(journals.lines()[3]).toMatchObject({ index: 2, result: 'second try' });
    }
    expect(recalled()).toEqual(['résult 0', 'résult 1', 'second try']);
  });

  test('is dropped when the line was cut off with its journal just begun', () => {
    const [header = ''] = threeJobs();
    for (let length = 0; length < header.length; length++) {
      writeFileSync(journals.path(), header.slice(0, length));
      const journal = journals.open();
      expect(journal.recorded).toBe(0);
      run(journal, 0, 'jöb 0', 'fresh');
      journal.close();
      expect(journals.lines()).toMatchObject([{ keyed: false }, { index: 0, result: 'fresh' }]);
    }
    expect(recalled()).toEqual(['fresh', undefined, undefined]);
  });

  test.each([
    ['zeros', '\0'.repeat(5000)],
    ['a piece and zeros', `{"type":"comple${'\0'.repeat(5000)}`],
    ['a piece, zeros and the end of a line', `{"type":"comple${'\0'.repeat(50)}}\n`],
    ['a broken line and zeros', `{"type":"comple\0\n${'\0'.repeat(5000)}`],
    ['a line that is not UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a])],
  ])('may be %s, as after a power cut', (_, tail) => {
    const lines = threeJobs();
    appendFileSync(journals.path(), tail);
    expect(recalled()).toEqual(['résult 0', 'résult 1', 'résult 2']);
    expect(journals.text()).toBe(lines.join(''));
  });

  test.each([
    ['zeros alone', '\0'.repeat(4096)],
    ['a piece of the header and zeros', `{"type":"threadfac${'\0'.repeat(4096)}`],
    ['a broken header', '{"type":"threadfactory-journal","ver\n'],
    [
      'a piece that ends within a character',
      Buffer.from('{"type":"threadfactory-journal","module":"é').subarray(0, -1),
    ],
  ])('may be the first one: %s', (_, text) => {
    writeFileSync(journals.path(), text);
    journals.open();
    expect(journals.lines()).toMatchObject([{ type: 'threadfactory-journal' }]);
  });
});

describe('any other damage names its line', () => {
  test.each([
    ['cut', '{"type":"completed","index":1,'],
    ['empty', ''],
    ['zeros', '\0\0\0'],
    ['not an object', '"text"'],
    ['without a type', '{"index":1}'],
    ['without a hash', '{"type":"completed","index":1}'],
    ['without an index', '{"type":"completed","hash":"aaaa"}'],
    ['at no position', '{"type":"completed","index":-1,"hash":"aaaa"}'],
    ['failed, at no position', '{"type":"failed","index":1.5,"hash":"aaaa"}'],
  ])('a line that is %s', (_, line) => {
    const lines = threeJobs();
    lines[2] = `${line}\n`;
    writeFileSync(journals.path(), lines.join(''));
    expect(() => journals.open()).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        line: 3,
        message: expect.stringMatching(/^Line 3 of .* Delete that line/),
      }),
    );
    expect(journals.text()).toBe(lines.join(''));
  });

  test('and deleting it, as the message says, is all it takes', () => {
    const lines = threeJobs();
    writeFileSync(journals.path(), [lines[0], lines[1], lines[3]].join(''));
    expect(recalled()).toEqual(['résult 0', undefined, 'résult 2']);
  });

  test.each([
    ['its header', 1, 'job.js'],
    ['another line', 2, 'é'],
  ])('in %s that is not UTF-8', (_, line, text) => {
    threeJobs();
    const bytes = readFileSync(journals.path());
    bytes[bytes.indexOf(text)] = 0xff;
    writeFileSync(journals.path(), bytes);
    expect(() => journals.open()).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        line,
        message: expect.stringMatching(`^Line ${line} of .* can not be read: It is not UTF-8\\. `),
      }),
    );
    expect(readFileSync(journals.path())).toEqual(bytes);
  });

  test('but a character that only looks like damage is none', () => {
    run(journals.open(), 0, 'a', '\ufffd');
    expect(journals.reopen().recall(0, 'a')).toEqual({ result: '\ufffd' });
  });

  test('a key that is missing', () => {
    const key = String;
    run(journals.open({ key }), 0, 'a', 1);
    appendFileSync(journals.path(), '{"type":"completed","index":1}\n');
    expect(() => journals.reopen({ key })).toThrow(expect.objectContaining({ line: 3 }));
  });

  test('a line that was damaged after the journal was opened', () => {
    threeJobs();
    const journal = journals.open();
    const bytes = readFileSync(journals.path());
    bytes[bytes.indexOf('{"type":"completed","index":1')] = 0x20;
    writeFileSync(journals.path(), bytes);
    expect(() => journal.recall(1, 'jöb 1')).toThrow(
      expect.objectContaining({ code: 'ERR_JOURNAL', line: 3 }),
    );
  });

  test('a line that was cut off after the journal was opened', () => {
    threeJobs();
    const journal = journals.open();
    truncateSync(journals.path(), 200);
    expect(() => journal.recall(2, 'jöb 2')).toThrow(expect.objectContaining({ code: 'ERR_JOURNAL' }));
  });

  test('a value that can not be decoded', () => {
    const lines = threeJobs();
    const broken = lines[1]?.replace('"result":"résult 0"', '"resultV8":"AAAA"');
    writeFileSync(journals.path(), [lines[0], broken, lines[2]].join(''));
    const journal = journals.open();
    expect(() => journal.recall(0, 'jöb 0')).toThrow(
      expect.objectContaining({
        line: 2,
        message: expect.stringMatching(`${process.version}.*Start again with the version that wrote it`),
      }),
    );
  });

  test.each([
    ['of a newer format', '"version":2', '"version":1', /newer version of threadfactory \(format 2/],
    ['without a version', '"version":null', '"version":1', /its header, can not be read/],
    ['without a module', '"module":null', '"module":"job.js"', /its header, can not be read/],
    ['that does not say whether it has keys', '"keyed":0', '"keyed":false', /its header, can not be read/],
    ['that is no JSON', '"version"=1', '"version":1', /its header, can not be read/],
  ])('a header %s', (_, replacement, part, message) => {
    const lines = threeJobs();
    writeFileSync(journals.path(), lines.join('').replace(part, replacement));
    expect(() => journals.open()).toThrow(
      expect.objectContaining({ code: 'ERR_JOURNAL', line: 1, message: expect.stringMatching(message) }),
    );
  });
});

describe('a file that is no journal is refused and left as it is', () => {
  test.each([
    ['text', 'name,size\na,1\n'],
    ['text without a newline', 'shopping list'],
    ['JSON', '{"type":"module"}\n'],
    ['binary that begins with a zero', '\0asm\x01\0\0\0'],
    ['lines that begin with a zero', '\0\0\n\0\0\n'],
    ['many zeros', '\0'.repeat(65 * 1024)],
    ['zeros and what is not UTF-8', Buffer.concat([Buffer.alloc(100), Buffer.from([0xff, 0xfe])])],
  ])('%s', (_, content) => {
    writeFileSync(journals.path(), content);
    expect(() => journals.open()).toThrow(
      expect.objectContaining({ code: 'ERR_JOURNAL', message: expect.stringMatching(/not a journal/) }),
    );
    expect(readFileSync(journals.path())).toEqual(Buffer.from(content));
    expect(existsSync(`${journals.path()}.lock`)).toBe(false);
  });
});

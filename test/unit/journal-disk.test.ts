import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { JournalIo } from '../../src/journal/io.js';
import { nodeIo } from '../../src/journal/io.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { completed, run, useJournals } from '../helpers/journal.js';

const journals = useJournals();

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: as the test wants it`), { code });
}

/** Files on a disk with room for so many bytes more, that takes at most `pieces` bytes in a call. */
class SmallDisk {
  room = Number.POSITIVE_INFINITY;
  pieces = Number.POSITIVE_INFINITY;
  /** What cutting the file off fails with. */
  truncateError: Error | undefined;
  readonly io: JournalIo = {
    ...nodeIo,
    writeSync: ((fd: number, bytes: Uint8Array, offset: number, length: number) => {
      if (this.room === 0) throw systemError('ENOSPC');
      const written = nodeIo.writeSync(fd, bytes, offset, Math.min(length, this.room, this.pieces));
      this.room -= written;
      return written;
    }) as JournalIo['writeSync'],
    ftruncateSync: (fd, length) => {
      if (this.truncateError !== undefined) throw this.truncateError;
      nodeIo.ftruncateSync(fd, length);
    },
  };
}

/** Notes each fsync, those in the background apart, and can make them fail. */
class NotingDisk {
  foreground = 0;
  background = 0;
  error: NodeJS.ErrnoException | null = null;
  closed: number[] = [];
  /** Resolves when the next fsync in the background has been asked for; it ends when the given function is called. */
  nextBackground(): Promise<() => void> {
    return new Promise((resolve) => {
      this.#asked = resolve;
    });
  }
  #asked: (end: () => void) => void = (end) => end();
  readonly io: JournalIo = {
    ...nodeIo,
    fdatasyncSync: () => {
      this.foreground++;
      if (this.error !== null) throw this.error;
    },
    fdatasync: ((_: number, callback: (error: Error | null) => void) => {
      this.background++;
      this.#asked(() => callback(this.error));
    }) as JournalIo['fdatasync'],
    closeSync: (fd) => {
      this.closed.push(fd);
      nodeIo.closeSync(fd);
    },
  };
}

describe('a write', () => {
  test('that takes only pieces is repeated until all is written', () => {
    const disk = new SmallDisk();
    disk.pieces = 7;
    run(journals.open({}, disk.io), 0, 'a', 'é'.repeat(1000));
    expect(journals.reopen().recall(0, 'a')).toEqual({ result: 'é'.repeat(1000) });
  });

  test.each([0, 1, 30, 150])(
    'that finds the disk full after %i bytes loses nothing recorded, and leaves no piece',
    (room) => {
      const disk = new SmallDisk();
      const journal = journals.open({}, disk.io);
      run(journal, 0, 'a', 'A');
      const before = journals.text();
      disk.room = room;
      expect(() => journal.record([completed(1, 'b', 'B'), completed(2, 'c', 'C')])).toThrow(
        expect.objectContaining({
          code: 'ERR_JOURNAL',
          cause: expect.objectContaining({ code: 'ENOSPC' }),
          message: expect.stringMatching(/disk is full.*make room/),
        }),
      );
      expect(journals.text()).toBe(before);
      disk.room = Number.POSITIVE_INFINITY;
      run(journal, 3, 'd', 'D');
      const again = journals.reopen();
      expect([0, 1, 2, 3].map((index) => again.recall(index, 'abcd'[index])?.result)).toEqual([
        'A',
        undefined,
        undefined,
        'D',
      ]);
    },
  );

  test('that failed and could not be cut off is cut off before the next one', () => {
    const disk = new SmallDisk();
    const journal = journals.open({}, disk.io);
    disk.room = 30;
    disk.truncateError = systemError('EIO');
    expect(() => run(journal, 0, 'a', 'A')).toThrow(/ENOSPC/);
    const ragged = journals.text();
    expect(ragged).not.toMatch(/\n$/);
    disk.room = Number.POSITIVE_INFINITY;
    expect(() => run(journal, 0, 'a', 'A')).toThrow(/EIO/);
    expect(journals.text()).toBe(ragged);
    disk.truncateError = undefined;
    run(journal, 0, 'a', 'A');
    expect(journals.reopen().recall(0, 'a')).toEqual({ result: 'A' });
  });

  test('that failed and was never cut off is a torn line to the next run', () => {
    const disk = new SmallDisk();
    const journal = journals.open({}, disk.io);
    run(journal, 0, 'a', 'A');
    disk.room = 30;
    disk.truncateError = systemError('EIO');
    expect(() => run(journal, 1, 'b', 'B')).toThrow(/ENOSPC/);
    const again = journals.reopen();
    expect([again.recall(0, 'a'), again.recall(1, 'b')]).toEqual([{ result: 'A' }, undefined]);
  });

  test('of a retry or a crash reports a full disk as well', () => {
    const disk = new SmallDisk();
    const journal = journals.open({}, disk.io);
    disk.room = 0;
    const retry = () =>
      journal.retry({ index: 0, job: 'a', attempt: 1, id: 1, error: new Error('x'), delay: 0 });
    expect(retry).toThrow(expect.objectContaining({ code: 'ERR_JOURNAL' }));
    const crash = () => journal.crash({ id: 1, pid: undefined, code: 1, signal: null, jobs: [] });
    expect(crash).toThrow(expect.objectContaining({ code: 'ERR_JOURNAL' }));
  });
});

describe('a journal that is taken away during the run', () => {
  const WAYS: readonly (readonly [string, (path: string) => void])[] = [
    ['deleted', (path) => rmSync(path)],
    ['moved', (path) => renameSync(path, `${path}.1`)],
    ['emptied', (path) => truncateSync(path)],
    [
      'deleted and begun anew',
      (path) => {
        rmSync(path);
        writeFileSync(path, '');
      },
    ],
  ];

  test.each(WAYS)('is missed within a second when it was %s, and nothing more is written', (_, take) => {
    const clock = new FakeClock();
    const journal = journals.open({}, nodeIo, clock);
    run(journal, 0, 'a', 'A');
    take(journals.path());
    const left = existsSync(journals.path()) ? journals.text() : undefined;
    for (const later of [1000, 1]) {
      clock.pass(later);
      expect(() => run(journal, 1, 'b', 'B')).toThrow(
        expect.objectContaining({
          code: 'ERR_JOURNAL',
          message: expect.stringMatching(/deleted, moved or emptied during the run.*Put it back/),
        }),
      );
    }
    expect(existsSync(journals.path()) ? journals.text() : undefined).toBe(left);
  });

  test.each(WAYS.filter(([how]) => how !== 'moved'))('is missed at once when it was %s', (_, take) => {
    const journal = journals.open();
    run(journal, 0, 'a', 'A');
    take(journals.path());
    expect(() => run(journal, 1, 'b', 'B')).toThrow(/deleted, moved or emptied/);
    // What is left does not keep a next run from beginning.
    expect(existsSync(journals.path()) ? journals.text() : '').toBe('');
  });

  test('is missed at the end of the run at the latest, also where a longer file is in its place', () => {
    const journal = journals.open();
    run(journal, 0, 'a', 'A');
    renameSync(journals.path(), `${journals.path()}.1`);
    writeFileSync(journals.path(), 'x'.repeat(10_000));
    expect(() => journal.sync()).toThrow(/deleted, moved or emptied/);
  });

  test('and put back is written again', () => {
    const clock = new FakeClock();
    const journal = journals.open({}, nodeIo, clock);
    run(journal, 0, 'a', 'A');
    renameSync(journals.path(), `${journals.path()}.1`);
    clock.pass(1000);
    expect(() => run(journal, 1, 'b', 'B')).toThrow(/moved/);
    renameSync(`${journals.path()}.1`, journals.path());
    run(journal, 1, 'b', 'B');
    const again = journals.reopen();
    expect([again.recall(0, 'a'), again.recall(1, 'b')]).toEqual([{ result: 'A' }, { result: 'B' }]);
  });

  test('can not be looked for where its folder is closed to us, which is said', () => {
    const statSync = () => {
      throw systemError('EACCES');
    };
    expect(() => journals.open({}, { ...nodeIo, statSync: statSync as never })).toThrow(
      /Can not find the journal .* again: EACCES/,
    );
  });
});

describe('opening', () => {
  test('a file that has a second name is refused by either, and left as it is', () => {
    run(journals.open(), 0, 'a', 'A');
    journals.reopen().close();
    const before = journals.text();
    const other = join(journals.folder(), 'other.jsonl');
    linkSync(journals.path(), other);
    for (const path of [journals.path(), other]) {
      expect(() => journals.open({ path })).toThrow(
        expect.objectContaining({
          code: 'ERR_JOURNAL',
          message: expect.stringMatching(/has 2 names \(hard links\).*Copy it/),
        }),
      );
    }
    expect(journals.text()).toBe(before);
    rmSync(other);
    expect(journals.open().recall(0, 'a')).toEqual({ result: 'A' });
  });

  test('a file with a torn line drops it also where who may append may not cut off, as on Windows', () => {
    run(journals.open(), 0, 'a', 'A');
    journals.reopen().close();
    const whole = journals.text();
    appendFileSync(journals.path(), '{"torn');
    const appending = new Set<number>();
    const openSync = (path: string, flags: string, mode?: number) => {
      const fd = nodeIo.openSync(path, flags, mode);
      if (flags === 'a+') appending.add(fd);
      else appending.delete(fd);
      return fd;
    };
    const ftruncateSync = (fd: number, length: number) => {
      if (appending.has(fd)) throw systemError('EPERM');
      nodeIo.ftruncateSync(fd, length);
    };
    const io = { ...nodeIo, openSync, ftruncateSync } as JournalIo;
    expect(journals.open({}, io).recall(0, 'a')).toEqual({ result: 'A' });
    expect(journals.text()).toBe(whole);
  });

  test('a folder says that it is one', () => {
    expect(() => journals.open({ path: journals.folder() })).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        message: expect.stringMatching(/EISDIR.*give the path of a file/),
      }),
    );
  });

  test('a path in a folder that is missing says to create it', () => {
    expect(() => journals.open({ path: join(journals.folder(), 'no/run.jsonl') })).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        message: expect.stringMatching(/ENOENT.*create it first/),
      }),
    );
  });

  test('a path below a file says that it is no folder', () => {
    writeFileSync(join(journals.folder(), 'file'), '');
    expect(() => journals.open({ path: join(journals.folder(), 'file/run.jsonl') })).toThrow(
      /ENOTDIR.*no folder/,
    );
  });

  test.skipIf(process.platform === 'win32')('a device is refused (there are none on Windows)', () => {
    expect(() => journals.open({ path: '/dev/null' })).toThrow(/must be a regular file/);
  });

  test.each([
    ['EACCES', /must be allowed to read and write/],
    ['EROFS', /read-only file system/],
  ])('that fails with %s says what is needed', (code, advice) => {
    const openSync = () => {
      throw systemError(code);
    };
    expect(() => journals.open({}, { ...nodeIo, openSync })).toThrow(
      expect.objectContaining({ code: 'ERR_JOURNAL', message: expect.stringMatching(advice) }),
    );
  });

  test('a file that can not be read, or cut, gives its lock back', () => {
    run(journals.open(), 0, 'a', 'A');
    journals.reopen().close();
    writeFileSync(journals.path(), '{"torn', { flag: 'a' });
    const fail = () => {
      throw systemError('EIO');
    };
    expect(() => journals.open({}, { ...nodeIo, readSync: fail })).toThrow(/Can not read the journal.*EIO/);
    expect(() => journals.open({}, { ...nodeIo, ftruncateSync: fail })).toThrow(/torn last line.*EIO/);
    expect(existsSync(`${journals.path()}.lock`)).toBe(false);
    expect(journals.open().recall(0, 'a')).toEqual({ result: 'A' });
  });

  test('a file that can no longer be read fails the recall', () => {
    run(journals.open(), 0, 'a', 'A');
    let isBroken = false;
    const readSync = ((...args: Parameters<typeof nodeIo.readSync>) => {
      if (isBroken) throw systemError('EIO');
      return nodeIo.readSync(...args);
    }) as JournalIo['readSync'];
    journals.reopen().close();
    const journal = journals.open({}, { ...nodeIo, readSync });
    isBroken = true;
    expect(() => journal.recall(0, 'a')).toThrow(/Can not read the journal.*EIO/);
  });

  test('a journal that is whole does not touch it', () => {
    run(journals.open(), 0, 'a', 'A');
    journals.reopen().close();
    const before = statSync(journals.path(), { bigint: true });
    journals.open().close();
    const { mtimeNs, size } = statSync(journals.path(), { bigint: true });
    expect([mtimeNs, size]).toEqual([before.mtimeNs, before.size]);
  });
});

describe('fsync', () => {
  test('true follows every write', () => {
    const disk = new NotingDisk();
    const journal = journals.open({ fsync: true }, disk.io);
    const opened = disk.foreground;
    run(journal, 0, 'a', 'A');
    run(journal, 1, 'b', 'B');
    expect(disk.foreground - opened).toBe(2);
    journal.close();
    expect(disk.foreground - opened).toBe(2);
  });

  test('false never happens', () => {
    const disk = new NotingDisk();
    const journal = journals.open({ fsync: false }, disk.io);
    run(journal, 0, 'a', 'A');
    journal.close();
    expect([disk.foreground, disk.background]).toEqual([0, 0]);
  });

  test('a number: in the background after a write, again after what was written meanwhile, and at the end', async () => {
    const disk = new NotingDisk();
    const first = disk.nextBackground();
    const journal = journals.open({ fsync: 1 }, disk.io);
    const opened = disk.foreground;
    const endFirst = await first;
    run(journal, 0, 'a', 'A');
    const second = disk.nextBackground();
    endFirst();
    (await second)();
    expect(disk.background).toBe(2);
    run(journal, 1, 'b', 'B');
    journal.close();
    expect([disk.foreground - opened, disk.background]).toEqual([1, 2]);
  });

  test('comes at its time though the user has put other timers and another date in place of the real ones', async () => {
    const disk = new NotingDisk();
    vi.useFakeTimers({ now: 0 });
    try {
      const asked = disk.nextBackground();
      const journal = journals.open({ fsync: 1 }, disk.io);
      (await asked)();
      journal.crash({ id: 1, pid: 7, code: 1, signal: null, jobs: [] });
      for (const { at, createdAt } of journals.lines()) expect(Number(at ?? createdAt)).toBeGreaterThan(1e12);
    } finally {
      vi.useRealTimers();
    }
  });

  test('that is under way when all has to be on the disk is not relied on', async () => {
    const disk = new NotingDisk();
    const asked = disk.nextBackground();
    const journal = journals.open({ fsync: 1 }, disk.io);
    const opened = disk.foreground;
    const end = await asked;
    journal.sync();
    expect(disk.foreground - opened).toBe(1);
    end();
  });

  test('that is under way at the end keeps the file open until it is done', async () => {
    const disk = new NotingDisk();
    const asked = disk.nextBackground();
    const journal = journals.open({ fsync: 1 }, disk.io);
    const end = await asked;
    disk.closed = [];
    journal.close();
    expect(disk.closed).toEqual([]);
    end();
    expect(disk.closed).toHaveLength(1);
    journals.open().close();
  });

  test('that is under way at the end has nothing to report: all was forced, and the file is closed as well as can be', async () => {
    const disk = new NotingDisk();
    const asked = disk.nextBackground();
    const closeSync = (fd: number) => {
      nodeIo.closeSync(fd);
      if (isOver) throw systemError('EIO');
    };
    let isOver = false;
    const journal = journals.open({ fsync: 1 }, { ...disk.io, closeSync });
    const end = await asked;
    journal.close();
    isOver = true;
    expect(end).not.toThrow();
  });

  test('in the background that fails is reported by the next write', async () => {
    const disk = new NotingDisk();
    const asked = disk.nextBackground();
    const journal = journals.open({ fsync: 1 }, disk.io);
    const end = await asked;
    disk.error = systemError('EIO');
    end();
    disk.error = null;
    expect(() => run(journal, 0, 'a', 'A')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/onto the disk.*EIO/) }),
    );
  });

  test('that fails at the end is reported, and the journal closed and given back all the same', () => {
    const disk = new NotingDisk();
    const journal = journals.open({ fsync: 100_000 }, disk.io);
    run(journal, 0, 'a', 'A');
    disk.error = systemError('EIO');
    expect(() => journal.close()).toThrow(/onto the disk.*EIO/);
    journal.close();
    expect(journals.open().recall(0, 'a')).toEqual({ result: 'A' });
  });

  test('of a folder that can not be synced is done without', () => {
    const openSync = ((path: string, ...rest: [string, number?]) => {
      if (path === journals.folder()) throw systemError('EACCES');
      return nodeIo.openSync(path, ...rest);
    }) as JournalIo['openSync'];
    mkdirSync(journals.folder(), { recursive: true });
    run(journals.open({ fsync: true }, { ...nodeIo, openSync }), 0, 'a', 'A');
    expect(journals.reopen().recorded).toBe(1);
  });
});

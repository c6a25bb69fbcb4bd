import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JournalRecord } from '../../src/journal.js';
import { openJournal } from '../../src/journal.js';
import { Browser, noBrowser } from '../helpers/browser.js';

const require = createRequire(import.meta.url);
const { writeReport } = require('../../dist/report.cjs') as typeof import('../../src/report.js');

const EVIL =
  '</script><script>globalThis.wasRun = true</script><img src=x onerror="globalThis.wasRun = true">';
const BEGAN = Date.UTC(2026, 10, 24, 8);
const HOUR = 3_600_000;

let folder = '';
const path = (name: string): string => join(folder, name);

/** Writes a journal of `jobs` jobs of 80 ms on four workers, after `at` milliseconds, as a run would. */
function run(name: string, { jobs, at, from = 0 }: { jobs: number; at: number; from?: number }): void {
  const journal = openJournal({
    path: path(name),
    module: '/app/november.cjs',
    key: (job) => String(job),
    fsync: false,
  });
  const records = Array.from({ length: jobs }, (_, place): JournalRecord => {
    const index = from + place;
    const about = {
      index,
      job: index === 17 ? EVIL : `image-${index}`,
      id: 1 + (place % 4),
      startedAt: BEGAN + at + Math.floor(place / 4) * 100,
      duration: 80,
    };
    return index % 10 === 7
      ? { ...about, attempts: 1, error: new TypeError(`${EVIL} ${index}`) }
      : { ...about, attempt: 1, result: index };
  });
  for (const { index, job } of records) journal.recall(index, job);
  journal.record(records);
  const [first] = records;
  journal.retry({ index: from, job: first?.job, attempt: 1, id: 1, error: new Error('again'), delay: 5 });
  journal.crash({ id: 2, pid: 4711, code: null, signal: 'SIGKILL', jobs: [from] });
  journal.close();
}

/** The report of a journal, as a file. */
async function reportOf(name: string): Promise<string> {
  const page = path(`${name}.html`);
  await writeReport(path(name), page);
  return page;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'threadfactory-report-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('writeReport', () => {
  it('holds what jobs say in no form that is markup', async () => {
    run('evil.jsonl', { jobs: 40, at: 0 });
    const text = await readFile(await reportOf('evil.jsonl'), 'utf8');
    expect(text).toContain('wasRun');
    expect(text).not.toContain(EVIL);
    expect(text.match(/<script/g)).toHaveLength(2);
  });

  it('carries the licence of what is in it, and a policy against all that is not', async () => {
    run('policy.jsonl', { jobs: 1, at: 0 });
    const text = await readFile(await reportOf('policy.jsonl'), 'utf8');
    expect(text).toContain('Permission is hereby granted, free of charge');
    expect(text).toMatch(
      /http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-/,
    );
  });

  it('says which journal is not there', async () => {
    await expect(writeReport(path('none.jsonl'), path('none.html'))).rejects.toMatchObject({
      code: 'ERR_JOURNAL',
      message: expect.stringContaining('none.jsonl'),
    });
    await expect(stat(path('none.html'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is of no journal that has not begun, and does not take its place either', async () => {
    await writeFile(path('empty.jsonl'), '');
    await expect(writeReport(path('empty.jsonl'), path('empty.jsonl'))).rejects.toMatchObject({
      code: 'ERR_JOURNAL',
      message: expect.stringMatching(/Nothing is in the journal .*empty\.jsonl yet/),
    });
    expect(await readFile(path('empty.jsonl'), 'utf8')).toBe('');
  });

  it('says where it can not write', async () => {
    run('unwritten.jsonl', { jobs: 1, at: 0 });
    await expect(writeReport(path('unwritten.jsonl'), path('no/such/folder.html'))).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('folder.html'),
    });
  });

  it('takes the place of an earlier report, of an empty file and of nothing else', async () => {
    run('again.jsonl', { jobs: 1, at: 0 });
    await writeFile(path('empty.html'), '');
    await writeReport(path('again.jsonl'), path('empty.html'));
    await writeReport(path('again.jsonl'), path('empty.html'));
    expect(await readFile(path('empty.html'), 'utf8')).toContain('"completed":1,');
    await writeFile(path('mine.html'), '<title>my own page</title>');
    await expect(writeReport(path('again.jsonl'), path('mine.html'))).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(
        /mine\.html: that file is there already.*no earlier report.*Choose another/,
      ),
    });
    expect(await readFile(path('mine.html'), 'utf8')).toBe('<title>my own page</title>');
    const quoting = '{"result":"<title>threadfactory report</title>"}\n';
    await writeFile(path('quoting.jsonl'), quoting);
    await expect(writeReport(path('again.jsonl'), path('quoting.jsonl'))).rejects.toThrow(
      'no earlier report',
    );
    expect(await readFile(path('quoting.jsonl'), 'utf8')).toBe(quoting);
  });

  it('never takes the place of its journal, under another name either', async () => {
    run('same.jsonl', { jobs: 1, at: 0 });
    const before = await readFile(path('same.jsonl'), 'utf8');
    await symlink(path('same.jsonl'), path('other-name.html'));
    for (const name of ['same.jsonl', 'other-name.html']) {
      await expect(writeReport(path('same.jsonl'), path(name))).rejects.toMatchObject({ code: 'ERR_OPTION' });
    }
    expect(await readFile(path('same.jsonl'), 'utf8')).toBe(before);
  });
});

const reason = noBrowser();

describe.skipIf(reason !== undefined)(
  `a report in a browser${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    const browser = new Browser();
    let report = '';

    beforeAll(async () => {
      await browser.start();
      // Two runs an hour apart, the second of which was killed while it wrote.
      run('two-runs.jsonl', { jobs: 200, at: 0 });
      run('two-runs.jsonl', { jobs: 200, at: HOUR, from: 200 });
      const text = await readFile(path('two-runs.jsonl'), 'utf8');
      await writeFile(path('two-runs.jsonl'), `${text}{"type":"completed","index":400,"key":"image-4`);
      report = await reportOf('two-runs.jsonl');
    });

    afterAll(async () => {
      await browser.stop();
    });

    it('shows what was run, complains about nothing, asks for nothing, and runs nothing that jobs say', async () => {
      const { page, complaints, requests } = await browser.open(report);
      expect(await page.title()).toBe('november.cjs · report of two-runs.jsonl');
      expect(await tiles(page)).toMatchObject({ Completed: '360', Failed: '40', Retries: '2', Crashes: '2' });
      const failures = page.getByRole('region', { name: 'Failures' });
      expect(await failures.locator('details').count()).toBe(1);
      expect(await failures.locator('summary').innerText()).toContain('TypeError');
      expect(await failures.locator('.jobs code').nth(1).innerText()).toBe(EVIL);
      expect(await page.evaluate('globalThis.wasRun')).toBeUndefined();
      expect(await page.locator('canvas').count()).toBe(4);
      expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
      await page.close();
    });

    it('says which job is under the pointer', async () => {
      const { page } = await browser.open(report);
      const tip = gantt(page).locator('.tip');
      await pointAt(page, 0.01);
      await expect
        .poll(() => tip.innerText())
        .toMatch(/^image-\d+\ntook 80\sms\nbegan 08:00:0\d(?:\.\d+)?\n.*\nworker 1$/);
      await page.mouse.move(5, 5);
      await expect.poll(() => tip.isHidden()).toBe(true);
      await page.close();
    });

    it('zooms by dragging, wheel, buttons and keys, in all charts at once, and back', async () => {
      const { page, complaints } = await browser.open(report);
      const all = await marks(page);
      const box = await over(page);
      await page.mouse.move(box.x + 20, box.y + 10);
      await page.mouse.down();
      await page.mouse.move(box.x + 120, box.y + 10, { steps: 4 });
      await page.mouse.up();
      await expect.poll(() => allDiffer(page, all)).toBe(true);
      await page.mouse.dblclick(box.x + 40, box.y + 10);
      await expect.poll(() => marks(page)).toEqual(all);
      for (const zoom of [
        () => page.getByRole('button', { name: 'Zoom in' }).click(),
        () => gantt(page).locator('.u-over').press('+'),
        async () => {
          await pointAt(page, 0.3);
          await page.keyboard.down('Control');
          await page.mouse.wheel(0, -300);
          await page.keyboard.up('Control');
        },
      ]) {
        await zoom();
        await expect.poll(() => allDiffer(page, all)).toBe(true);
        await page.getByRole('button', { name: 'Show all' }).click();
        await expect.poll(() => marks(page)).toEqual(all);
      }
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('is dark where the device is, its charts too, and changes with it', async () => {
      const { page } = await browser.open(report, { colorScheme: 'dark' });
      const [darkPage, darkChart] = [await background(page), await picture(page)];
      await page.emulateMedia({ colorScheme: 'light' });
      await expect.poll(() => background(page)).not.toBe(darkPage);
      await expect.poll(() => picture(page)).not.toBe(darkChart);
      await page.close();
    });

    it('fits a telephone: nothing is wider than the page', async () => {
      const { page } = await browser.open(report, { width: 380 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(380);
      expect(await page.locator('canvas').count()).toBe(4);
      await page.close();
    });

    it('of a journal without a job says so', async () => {
      openJournal({
        path: path('none-yet.jsonl'),
        module: '/app/a.cjs',
        key: undefined,
        fsync: false,
      }).close();
      const { page, complaints } = await browser.open(await reportOf('none-yet.jsonl'));
      expect(await page.locator('main').innerText()).toContain('No job is recorded in this journal yet.');
      expect(complaints).toEqual([]);
      await page.close();
    });
  },
);

async function tiles(page: Page): Promise<Record<string, string>> {
  const names = await page.locator('.tile dt').allInnerTexts();
  const values = await page.locator('.tile dd').allInnerTexts();
  return Object.fromEntries(names.map((name, at) => [name, values[at]?.split('\n')[0] ?? '']));
}

function gantt(page: Page) {
  return page.getByRole('figure', { name: /^What each of 4 workers did/ });
}

async function over(page: Page) {
  const place = gantt(page).locator('.u-over');
  await place.scrollIntoViewIfNeeded();
  const box = await place.boundingBox();
  if (box === null) throw new Error('The chart of workers is not to be seen.');
  return box;
}

/** Moves the pointer onto the first worker's lane, at a share of its width. */
async function pointAt(page: Page, share: number): Promise<void> {
  const box = await over(page);
  await page.mouse.move(box.x + box.width * share, box.y + box.height / 8);
}

/** What the charts over time look like now. */
async function marks(page: Page): Promise<string[]> {
  await page.mouse.move(1, 1);
  return await page.evaluate(
    `[...document.querySelectorAll('canvas')].slice(0, 3).map((canvas) => canvas.toDataURL())`,
  );
}

async function allDiffer(page: Page, before: readonly string[]): Promise<boolean> {
  return (await marks(page)).every((mark, at) => mark !== before[at]);
}

async function picture(page: Page): Promise<string> {
  return (await marks(page))[2] ?? '';
}

async function background(page: Page): Promise<string> {
  return await page.evaluate('getComputedStyle(document.body).backgroundColor');
}

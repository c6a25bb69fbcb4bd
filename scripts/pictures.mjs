/**
 * Makes the two pictures of the README, `docs/progress.webp` and `docs/report.webp`: a run on a terminal, and the report
 * of its journal. Needs what the tests need: tmux and Debian's chromium-headless-shell.
 */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { terminalPage } from './terminal-page.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const command = `${process.execPath} ${join(root, 'dist/cli.cjs')}`;
const PATIENCE_MS = 60_000;

const folder = await mkdtemp(join(tmpdir(), 'threadfactory-pictures-'));
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium-headless-shell',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
});
try {
  await copyFile(join(root, 'scripts/pictures-demo.mjs'), join(folder, 'shrink.mjs'));
  await writeFile(join(folder, 'terminal.html'), terminalPage(await watchRun()));
  const terminal = await open('terminal.html', 980);
  await save('progress.webp', await terminal.locator('#terminal').screenshot(), terminal);

  execFileSync(
    process.execPath,
    [join(root, 'dist/cli.cjs'), 'report', 'shrink.jsonl', '-o', 'report.html'],
    {
      cwd: folder,
    },
  );
  const report = await open('report.html', 1280);
  const { y, height } = await report.locator('[aria-label="Over time"]').boundingBox();
  const clip = { x: 0, y: 0, width: 1280, height: Math.ceil(y + height + 14) };
  await save('report.webp', await report.screenshot({ clip, fullPage: true }), terminal);
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}

async function open(file, width) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    deviceScaleFactor: 1.5,
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  await page.goto(`file://${join(folder, file)}`);
  return page;
}

/** Runs the demo to its end. @returns the lines of the terminal when a good part was done, with their colours */
async function watchRun() {
  const tmux = (...args) =>
    execFileSync('tmux', ['-u', '-L', `pictures-${process.pid}`, ...args], { encoding: 'utf8' });
  const { CI: _, NO_COLOR: __, TMUX: ___, ...env } = process.env;
  const run = `${command} run shrink.mjs --workers 4 --journal shrink.jsonl --retries 1; sleep 60`;
  const size = ['-x', '100', '-y', '12'];
  execFileSync(
    'tmux',
    [
      '-u',
      '-L',
      `pictures-${process.pid}`,
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-c',
      folder,
      ...size,
      run,
    ],
    { env: { ...env, TERM: 'xterm-256color' } },
  );
  const until = async (wanted) => {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const text = tmux('capture-pane', '-p', '-e');
      if (wanted.test(text)) return text.split('\n').filter((line) => line.trim() !== '');
      if (performance.now() > deadline) throw new Error(`The terminal shows:\n${text}`);
      await sleep(50);
    }
  };
  try {
    const lines = await until(/\b4[4-9]%/);
    await until(/finished in/);
    return lines;
  } finally {
    tmux('kill-server');
  }
}

/** @param page one whose policy lets it turn a screenshot into the smaller format */
async function save(name, png, page) {
  const url = await page.evaluate(
    async (source) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), {
        width: image.width,
        height: image.height,
      });
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', 0.82);
    },
    `data:image/png;base64,${png.toString('base64')}`,
  );
  await writeFile(join(root, 'docs', name), Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'));
}

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';

/** Required: an `import` of it first looks through all of it for the names that it exports. */
const { chromium } = createRequire(import.meta.url)('playwright-core') as typeof import('playwright-core');

/** Debian's Chromium without a window, which `.ci/run` installs: it starts in a third of the time of the whole. */
const PACKAGE = 'chromium-headless-shell';
const EXECUTABLE = `/usr/bin/${PACKAGE}`;

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];

/** Why tests in a browser can't run here; undefined if they can. In CI they have to. */
export function noBrowser(): string | undefined {
  if (existsSync(EXECUTABLE)) return undefined;
  if (process.env.CI === 'true') throw new Error(`There is no ${EXECUTABLE}: install Debian's ${PACKAGE}.`);
  return `no ${EXECUTABLE}: apt-get install ${PACKAGE}`;
}

/** How a page is looked at. */
export interface Look {
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
}

/** A page, and what it did that a report must not do. */
export interface Opened {
  readonly page: Page;
  /** Messages in the console, uncaught errors, refusals of its policy. */
  readonly complaints: readonly string[];
  /** Addresses it asked for, its own file apart. */
  readonly requests: readonly string[];
}

/** A browser with an empty folder of its own, for the tests of a file. */
export class Browser {
  private context: BrowserContext | undefined;
  private folder: string | undefined;

  async start(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'threadfactory-browser-'));
    this.context = await chromium.launchPersistentContext(this.folder, {
      executablePath: EXECUTABLE,
      args: FLAGS,
      timezoneId: 'UTC',
    });
  }

  /** Opens a file. */
  async open(file: string, { colorScheme = 'light', width = 1280 }: Look = {}): Promise<Opened> {
    if (this.context === undefined) throw new Error('The browser has not been started.');
    const page = await this.context.newPage();
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(String(error.stack)));
    page.on('request', (request) => {
      if (request.url() !== `file://${file}`) requests.push(request.url());
    });
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.goto(`file://${file}`);
    return { page, complaints, requests };
  }

  async stop(): Promise<void> {
    await this.context?.close();
    if (this.folder !== undefined) await rm(this.folder, { recursive: true, force: true });
  }
}

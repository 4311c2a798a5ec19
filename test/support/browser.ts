/** A real browser, for tests of pages. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, type TestContext } from 'vitest';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { askRun } from './ask-run.ts';
import type { Chromium } from './chromium.ts';

/** The time to download Debian's package, on a busy machine. */
const FETCH_LIMIT_MS = 15 * 60_000;

/**
 * For a file: what it returns gives its Chromium, in which nothing is open after a test. Where none
 * can be had, the test is skipped and says why; `.ci/run` counts that as a failure.
 */
export function useBrowser(): (
  context: Pick<TestContext, 'skip' | 'onTestFinished'>,
) => Promise<Browser> {
  let found: Chromium | string;
  let browser: Browser | null = null;
  beforeAll(async () => {
    found = await askRun('chromium').then(
      (answer): Chromium => JSON.parse(answer),
      ({ message }: Error) => message,
    );
  }, FETCH_LIMIT_MS);
  afterAll(() => browser?.close());
  return async ({ skip, onTestFinished }) => {
    if (typeof found === 'string') return skip(found);
    const { executable: executablePath, libraries } = found;
    const env = { ...readMachine().environment, ...(libraries && { LD_LIBRARY_PATH: libraries }) };
    const opened = (browser ??= await chromium.launch({ executablePath, env }));
    onTestFinished(async () => {
      await Promise.all(opened.contexts().map((context) => context.close()));
    });
    return opened;
  };
}

/** What a page of ours must not do; filled while it is open. */
export interface PageFaults {
  /** Addresses on other hosts that it requested. */
  readonly elsewhere: string[];
  /** The browser's complaints: violations of the Content-Security-Policy, errors of scripts. */
  readonly complaints: string[];
}

/** Call it before the page goes anywhere. */
export function watchPage(page: Page, origin: string): PageFaults {
  const faults: PageFaults = { elsewhere: [], complaints: [] };
  page.on('request', (request) => {
    const url = new URL(request.url());
    const isLocal = url.origin === origin || url.protocol === 'data:' || url.protocol === 'blob:';
    if (!isLocal) faults.elsewhere.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') faults.complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => faults.complaints.push(message));
  return faults;
}

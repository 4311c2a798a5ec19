/**
 * A Daybell as under `npm start`, with API keys and the test's own receiver, and a user at its
 * console.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll } from 'vitest';

import type { Scope } from '../../src/access/api-key.ts';
import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { type PageFaults, watchPage } from '../support/browser.ts';
import { type DueInstants, dueInstants } from '../support/instant-zones.ts';
import { type RunningDaybell, startDaybell, temporaryDataDir } from '../support/started-daybell.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

export interface OperatedDaybell {
  readonly daybell: RunningDaybell;
  readonly receiver: WebhookReceiver;
  readonly instants: DueInstants;
  /** The key to sign in with. */
  readonly key: string;
  /** Calls the API; returns the body of the response. */
  send(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
}

const ALL: readonly Scope[] = ['users:read', 'users:write', 'deliveries:read', 'deliveries:write'];

/** One for all tests of the file that calls it, started for the first that asks. */
export function useOperated(): () => Promise<OperatedDaybell> {
  const cleanUps: (() => Promise<void>)[] = [];
  let started: Promise<OperatedDaybell> | null = null;
  afterAll(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  });
  return () => (started ??= startOperated((cleanUp) => void cleanUps.push(cleanUp)));
}

async function startOperated(
  whenFinished: (cleanUp: () => Promise<void>) => void,
): Promise<OperatedDaybell> {
  const dataDir = await temporaryDataDir(whenFinished);
  const instants = dueInstants(dataDir);
  const receiver = await startWebhookReceiver();
  whenFinished(receiver.close);
  const { key, entry } = newApiKey('support', ALL);
  const daybell = await startDaybell({
    ...instants.settings,
    DATA_DIR: dataDir,
    API_KEYS: entry,
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRETS: newWebhookSecret(),
    WEBHOOK_ALLOW_PRIVATE: 'true',
  });
  return {
    daybell,
    receiver,
    instants,
    key,
    async send(method, path, body) {
      const response = await fetch(`${daybell.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? {} : JSON.parse(text);
    },
  };
}

export interface SignedIn {
  readonly page: Page;
  readonly faults: PageFaults;
}

/** Opens the console, is sent to the sign-in, and signs in. */
export async function signIn(
  browser: Browser,
  { daybell, key }: Pick<OperatedDaybell, 'daybell' | 'key'>,
): Promise<SignedIn> {
  const page = await browser.newPage({ baseURL: daybell.url });
  const faults = watchPage(page, daybell.url);
  await page.goto('/console');
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Today' }).waitFor();
  return { page, faults };
}

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../src/platform/settings/webhook-secrets.ts';
import { keepSecret } from './data-dir.ts';

test('a secret is made once, and is for its owner alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'webhook.secret');
  const secret = await keepSecret(file, newWebhookSecret);
  expect(secret).toMatch(/^whsec_/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await keepSecret(file, newWebhookSecret)).toBe(secret);
  expect(await readFile(file, 'utf8')).toBe(`${secret}\n`);
});

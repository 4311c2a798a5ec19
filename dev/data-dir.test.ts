import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { newWebhookSecret } from '../src/platform/settings/webhook-secrets.ts';
import { keepSecret, takeDataDir } from './data-dir.ts';

test('a secret is created once, and readable by its owner only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'webhook.secret');
  const secret = await keepSecret(file, newWebhookSecret);
  expect(secret).toMatch(/^whsec_/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await keepSecret(file, newWebhookSecret)).toBe(secret);
  expect(await readFile(file, 'utf8')).toBe(`${secret}\n`);
});

test.for(['', 'deeper'])('a file is no folder: %j in it', async (below) => {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-data-dir-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'data');
  await writeFile(file, '');
  const path = join(file, below);
  await expect(takeDataDir(path, () => {})).rejects.toThrow(
    new RegExp(
      `DATA_DIR: ${path} cannot be written to \\(E.*(file already exists|not a directory)`,
    ),
  );
});

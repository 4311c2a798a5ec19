import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { keepWebhookSecret } from './services.ts';

async function dataFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return { folder, file: join(folder, 'webhook.secret') };
}

test('the secret of a data folder is made once, and is for its owner alone', async () => {
  const { folder, file } = await dataFolder();
  const secret = await keepWebhookSecret(folder);
  expect(secret).toMatch(/^whsec_/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await keepWebhookSecret(folder)).toBe(secret);
  expect(await readFile(file, 'utf8')).toBe(`${secret}\n`);
  expect(await keepWebhookSecret((await dataFolder()).folder)).not.toBe(secret);
});

test('what is no secret is refused by the name of its file, and not shown', async () => {
  const { folder, file } = await dataFolder();
  await writeFile(file, 'whsec_short');
  const refused = await keepWebhookSecret(folder).catch((error: Error) => error.message);
  expect(refused).toMatch(`${file} does not hold a secret`);
  expect(refused).not.toMatch('whsec_short');
});

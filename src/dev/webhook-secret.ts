/** The secret between Daybell and its embedded receiver. */
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { newWebhookSecret, parseWebhookSecrets } from '../platform/settings/webhook-secrets.ts';
import { StartError } from './start-error.ts';

/**
 * The secret kept in a data folder, made the first time; for this user alone to read.
 *
 * @throws StartError when what is kept there is no secret
 */
export async function keepWebhookSecret(dataDir: string): Promise<string> {
  const file = join(dataDir, 'webhook.secret');
  const kept = await readFile(file, 'utf8').catch(whenMissing);
  if (kept === null) return makeSecret(file);
  await chmod(file, 0o600);
  const { entries, faults } = parseWebhookSecrets(kept);
  const [secret] = entries;
  if (secret === undefined || entries.length > 1 || faults.length > 0) {
    throw new StartError(
      `${file} does not hold a secret for webhooks. Delete it: another is made at the next start.`,
    );
  }
  return secret;
}

/** Written beside its place and renamed: a start that is killed leaves no half of one. */
async function makeSecret(file: string): Promise<string> {
  const secret = newWebhookSecret();
  await writeFile(`${file}.new`, `${secret}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return secret;
}

function whenMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

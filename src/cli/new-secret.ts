/**
 * `npm run secret:new`, `payload-key:new` and `key:new -- --name crm --scopes users:read,users:write`:
 * print a new secret for WEBHOOK_SECRETS, a key for TEMPORAL_PAYLOAD_KEYS, or a key of the API with
 * what API_KEYS keeps of it. Exit code 0, or 2 for bad input.
 */
import { parseArgs } from 'node:util';

import { SCOPES } from '../access/api-key.ts';
import { checkKeyName, newApiKey, parseScopes } from '../platform/settings/api-keys.ts';
import { newPayloadKey } from '../platform/settings/payload-keys.ts';
import { EntryError } from '../platform/settings/secret-list.ts';
import { newWebhookSecret } from '../platform/settings/webhook-secrets.ts';
import { CommandError, EXIT, runCommand } from './command.ts';

const USAGE = `Usage: npm run key:new -- --name NAME --scopes SCOPE,…
Scopes: ${SCOPES.join(', ')}`;

await runCommand(async () => {
  const [, , kind, ...args] = process.argv;
  if (kind === 'webhook-secret') return `${newWebhookSecret()}\n`;
  if (kind === 'payload-key') return `${newPayloadKey()}\n`;
  return printApiKey(args);
});

function printApiKey(args: string[]): string {
  try {
    const options = { name: { type: 'string' }, scopes: { type: 'string' } } as const;
    const { name, scopes } = parseArgs({ args, options }).values;
    if (name === undefined) throw new Error('--name is required');
    if (scopes === undefined) throw new Error('--scopes is required');
    const { key, entry } = newApiKey(checkKeyName(name), parseScopes(scopes.split(',')));
    return `The key, for ${name}. It is not stored anywhere, and not shown again:

  ${key}

For API_KEYS of every process api, after a comma if there are others:

  ${entry}
`;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const subject = error instanceof EntryError ? 'A key ' : '';
    throw new CommandError(`${subject}${message}.\n${USAGE}`, EXIT.badInput);
  }
}

/**
 * `npm run key:new -- --name crm --scopes users:read,users:write`: makes a key of the API, shows
 * it once, and prints what API_KEYS keeps of it. Exit code 0, or 2 for bad input.
 */
import { parseArgs } from 'node:util';

import { SCOPES, type Scope } from '../access/scope.ts';
import { keyNameFault, newApiKey, parseScopes } from '../config/api-keys.ts';
import { EXIT } from './exit.ts';

const USAGE = `Usage: npm run key:new -- --name NAME --scopes SCOPE,…
Scopes: ${SCOPES.join(', ')}`;

process.exitCode = main();

function main(): number {
  const wanted = readArguments();
  if (typeof wanted === 'string') {
    process.stderr.write(`${wanted}\n${USAGE}\n`);
    return EXIT.badInput;
  }
  const { key, entry } = newApiKey(wanted.name, wanted.scopes);
  process.stdout.write(`The key, for ${wanted.name}. It is kept nowhere, and not shown again:

  ${key}

For API_KEYS of every process api, after a comma if there are others:

  ${entry}
`);
  return 0;
}

/** What was asked for, or why that cannot be. */
function readArguments(): { name: string; scopes: readonly Scope[] } | string {
  try {
    const options = { name: { type: 'string' }, scopes: { type: 'string' } } as const;
    const { name, scopes: text } = parseArgs({ options }).values;
    if (name === undefined) return '--name is required.';
    if (text === undefined) return '--scopes is required.';
    const nameFault = keyNameFault(name);
    if (nameFault !== null) return `--name ${nameFault}.`;
    const scopes = parseScopes(text, ',');
    return typeof scopes === 'string' ? `--scopes ${scopes}.` : { name, scopes };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

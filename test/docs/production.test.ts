/** docs/production.md: its units and its table, compared with what they describe. */
import { existsSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { loadSettings, SETTING_NAMES } from '../../src/platform/settings/settings.ts';
import { ENTRIES } from '../support/process.ts';

const page = readFileSync('docs/production.md', 'utf8');

test('each process has a unit, with its entry point, and the migration has its own', () => {
  const entries = Object.fromEntries(
    [...page.matchAll(/^\| `\/etc\/daybell\/(\w+)` +\| `ENTRY=(\S+)`/gm)].map(
      ([, name = '', entry = '']) => [name, entry],
    ),
  );
  const { migrate, ...services } = ENTRIES;
  expect(entries).toEqual(services);
  expect(page).toContain(`ExecStart=/opt/daybell/node_modules/node/bin/node ${migrate}\n`);
  expect(existsSync('node_modules/node/bin/node')).toBe(true);
  for (const name of Object.keys(services)) expect(page).toContain(`daybell@${name}`);
});

test('a unit has longer to stop than any request may take, and does not restart for invalid settings', () => {
  const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(page) ?? [];
  const longest = loadSettings({ WEBHOOK_TIMEOUT_MS: '120000' }).WEBHOOK_TIMEOUT_MS;
  expect(Number(seconds) * 1000).toBeGreaterThan(longest + 20_000);
  expect(page).toMatch(/^RestartPreventExitStatus=78$/m);
});

test('every setting that it names exists', () => {
  const others =
    /^(BACKUP_TAKEN_AT|ENTRY|NEW_OWNER_DATABASE_URL|OWNER_DATABASE_URL|NODE_|SIGTERM|POST)/;
  // From Temporal's server.
  const ofTemporal = /^(NUM_HISTORY_SHARDS|SQL_(VIS_)?MAX_CONNS|TEMPORAL_BROADCAST_ADDRESS)$/;
  const named = [...page.matchAll(/\b[A-Z]{2,}(?:_[A-Z]+)+\b/g)].map(([name]) => name);
  const unknown = named.filter((name) => !others.test(name) && !ofTemporal.test(name));
  expect(unknown.filter((name) => !SETTING_NAMES.includes(name))).toEqual([]);
});

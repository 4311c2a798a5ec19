/**
 * What the script before `npm start` says when npm, by a setting of its own, does not install what is
 * needed: by the real npm, in a folder in which nothing is installed.
 */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { runProgram } from '../support/process.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** So that nothing is installed in any case, and the network is not used. */
const NOTHING = { npm_config_package_lock_only: 'true' };
const CURES_NOTHING = '--package-lock-only=false';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'daybell-install-'));
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'scripts']) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await mkdir(join(folder, 'cache'));
});
afterAll(() => rm(folder, { recursive: true }));

async function said(event: string, settings: NodeJS.ProcessEnv): Promise<string> {
  const { exited, lines } = runProgram(process.execPath, ['scripts/install.mjs'], {
    cwd: folder,
    settings: {
      HOME: folder,
      npm_config_cache: join(folder, 'cache'),
      npm_config_fetch_retries: '0',
      npm_lifecycle_event: event,
      ...settings,
    },
  });
  expect(await exited).toBe(1);
  return lines.join('\n');
}

const DEV = '--include=optional --include=dev';
/** What each of npm's settings is cured by, together: each start of npm takes a second. */
const CASES = [
  {
    event: 'prestart',
    settings: {
      npm_config_omit: 'optional',
      npm_config_ignore_scripts: 'true',
      npm_config_bin_links: 'false',
      npm_config_dry_run: 'true',
      npm_config_global: 'true',
      npm_config_offline: 'true',
    },
    cures: {
      'omit=optional': DEV,
      'ignore-scripts=true': '--ignore-scripts=false',
      'bin-links=false': '--bin-links=true',
      'dry-run=true': '--dry-run=false',
      'global=true': '--global=false',
      'offline=true': '--offline=false',
    },
  },
  {
    event: 'pretest',
    settings: { npm_config_production: 'true', npm_config_omit: 'dev' },
    cures: { 'production=true': DEV, 'omit=dev': DEV },
  },
  {
    event: 'pretest',
    settings: { NODE_ENV: 'production' },
    cures: { 'NODE_ENV=production': DEV },
  },
];

test.for(CASES)('$event with $settings', async ({ event, settings, cures }) => {
  const told = await said(event, { ...NOTHING, ...settings });
  const [, options = ''] = /Run: npm ci (.*)/.exec(told) ?? [];
  expect(options).toContain(CURES_NOTHING);
  for (const [name, cure] of Object.entries(cures)) {
    expect(told).toContain(`The npm setting ${name} is the cause`);
    expect(options).toContain(cure);
  }
});

test('npm knows all of the options', async () => {
  const options = CASES.flatMap(({ cures }) => Object.values(cures)).join(' ');
  const listed = runProgram('npm', ['config', 'list', '--json', ...options.split(' ')], {
    cwd: folder,
    settings: { HOME: folder },
  });
  expect(await listed.exited).toBe(0);
  expect(listed.lines.join('\n')).not.toMatch(/Unknown cli config|invalid config/);
});

test.for([
  ['a registry', { npm_config_registry: 'http://127.0.0.1:9/' }, 'http://127.0.0.1:9/. Check'],
  [
    'a proxy',
    { npm_config_https_proxy: 'http://127.0.0.1:9' },
    'through the proxy http://127.0.0.1:9',
  ],
] as const)('%s that does not answer is named', async ([_name, setting, named]) => {
  const told = await said('prestart', setting);
  expect(told).toContain(named);
  expect(told).not.toContain('The npm setting');
});

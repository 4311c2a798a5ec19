/** `npm run console:screenshots`: writes the pictures of docs/console.md. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

const run = spawn(
  process.execPath,
  [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', 'test/console/tasks', '-t', 'every page'],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, SCREENSHOTS: join(ROOT, 'docs', 'console') },
  },
);
const [code] = await once(run, 'exit');
process.exitCode = code === null ? 1 : Number(code);

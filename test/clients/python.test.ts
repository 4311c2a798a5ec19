// @module-tag long
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { runCommand } from '../../dev/run-command.ts';
import { readMachine } from '../../src/platform/settings/machine.ts';
import { findPython } from '../support/python.ts';
import { DESCRIPTION, readExamples } from './examples.ts';

const GENERATOR = {
  module: 'openapi_python_client',
  requirements: join(import.meta.dirname, 'python/requirements.txt'),
};
const LIMIT_MS = 300_000;

test(
  'a client by openapi-python-client makes what the README and docs/api.md send',
  { timeout: 2 * LIMIT_MS },
  async () => {
    const python = await findPython(GENERATOR);
    const folder = await mkdtemp(join(tmpdir(), 'daybell-client-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const { environment, path } = readMachine();
    // It formats its output with a program next to itself.
    const env = { ...environment, PATH: `${dirname(python)}:${path}`, PYTHONPATH: folder };
    const run = async (...args: readonly string[]) => {
      const options = { cwd: folder, env, timeoutMs: LIMIT_MS };
      const { ok, output, problem } = await runCommand(python, args, options);
      expect(ok, `${args.join(' ')}: ${problem}\n${output}`).toBe(true);
      return output;
    };
    const generate = 'from openapi_python_client.cli import app; app()';
    const into = ['--output-path', join(folder, 'daybell'), '--meta', 'none'];
    const said = await run('-c', generate, 'generate', '--path', DESCRIPTION, ...into);
    // It sends no files. Anything else that it leaves out is ours to fix.
    expect(said.match(/^(?:WARNING|Unable) .*/gm)).toEqual([
      expect.stringMatching(/^WARNING parsing POST \/v1\/imports /),
    ]);
    await run('-m', 'compileall', '-q', 'daybell');
    const { user, occasion } = await readExamples();
    await run(join(import.meta.dirname, 'python/example.py'), user, occasion);
  },
);

/** Schemathesis: requests generated from the API's own description, valid ones and invalid ones. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { findPython } from '../support/python.ts';
import { tryHabits } from './habits.ts';
import type { FuzzOptions } from './options.ts';
import type { FuzzTarget } from './target.ts';

export interface FuzzResult {
  readonly ok: boolean;
  readonly output: string;
}

const LIBRARY = {
  module: 'schemathesis',
  requirements: join(import.meta.dirname, 'requirements.txt'),
};
const CONFIG = join(import.meta.dirname, 'schemathesis.toml');

/**
 * Does what its own command does; that contains the folder of its installation, which has moved.
 */
const START = 'from schemathesis.cli import schemathesis; schemathesis()';

/** The share of the time for the habits of clients; schemathesis gets the rest. */
const HABITS_SHARE = 0.2;

/** Fuzzes it for the given time; `say` gets the findings, and what schemathesis prints. */
export async function fuzz(
  target: Pick<FuzzTarget, 'url' | 'key'>,
  { seconds, seed }: FuzzOptions,
  say: (text: string) => void = () => {},
): Promise<FuzzResult> {
  const { url, key } = target;
  const python = await findPython(LIBRARY);
  const faults = await tryHabits(target, { seconds: seconds * HABITS_SHARE, seed });
  let output = faults.map((fault) => `${fault}\n`).join('');
  say(output);
  // It stores its findings in the working directory.
  const cwd = await mkdtemp(join(tmpdir(), 'daybell-fuzz-'));
  try {
    const args = [
      ['-c', START],
      ['--no-color', '--config-file', CONFIG],
      ['run', `${url}/openapi.json`],
      ['--max-time', String(Math.ceil(seconds * (1 - HABITS_SHARE)))],
      ['--seed', String(seed)],
    ].flat();
    const { path } = readMachine();
    const env = {
      PATH: path,
      HOME: cwd,
      PYTHONPATH: import.meta.dirname,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONUNBUFFERED: '1',
      DAYBELL_KEY: key,
    };
    const child = spawn(python, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        say(text);
      });
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    return { ok: code === 0 && faults.length === 0, output };
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

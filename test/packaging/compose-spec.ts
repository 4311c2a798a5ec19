/** The Compose Specification's own reader, which `docker compose config` uses too. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { findGoProgram } from '../../dev/programs.ts';
import { runCommand, type CommandResult } from '../../dev/run-command.ts';

const PACKAGE = 'github.com/compose-spec/compose-go/v2/cmd';
const VERSION = '2.16.2';
const READ_LIMIT_MS = 30_000;

/** Checks a compose file against the schema and for consistency; with no variable set. */
export async function readCompose(program: string, file: string): Promise<CommandResult> {
  return runCommand(program, ['-format', 'json', file], {
    cwd: dirname(file),
    env: { PATH: process.env['PATH'] },
    timeoutMs: READ_LIMIT_MS,
  });
}

/** The same with variables, as JSON. (The reader's program passes none to its own reading.) */
export async function readComposeWith(
  program: string,
  file: string,
  variables: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  const text = readFileSync(file, 'utf8').replaceAll(
    /\$\{(\w+):([-?])([^}]*)\}/g,
    (_all, name: string, rule: string, preset: string) =>
      variables[name] ?? (rule === '-' ? preset : ''),
  );
  const folder = await mkdtemp(join(tmpdir(), 'daybell-compose-'));
  try {
    const filled = join(folder, 'compose.yml');
    await writeFile(filled, text);
    return await runCommand(program, ['-format', 'json', filled], {
      // Paths in it are from there.
      cwd: dirname(file),
      env: { PATH: process.env['PATH'] },
      timeoutMs: READ_LIMIT_MS,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The path of the program, from the cache or built now; rejects with what to install. */
export function findComposeSpec(): Promise<string> {
  const options = { ...readMachine(), onProgress: (line: string) => console.log(line) };
  return findGoProgram('compose-spec', PACKAGE, VERSION, options);
}

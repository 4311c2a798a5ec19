import { runCommand } from './run-command.ts';
import { MIGRATE } from './services.ts';
import { StartError } from './start-error.ts';
import type { Terminal } from './terminal.ts';

/** Longer than any migration should take; one that hangs waits for a lock. */
const LIMIT_MS = 10 * 60_000;

/** Brings the database's schema up to date, in a process of its own. */
export async function runMigration(
  environment: NodeJS.ProcessEnv,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const result = await runCommand(process.execPath, [MIGRATE], {
    env: environment,
    timeoutMs: LIMIT_MS,
    signal,
  });
  signal.throwIfAborted();
  if (result.ok) return;
  const lines = result.output.trim().split('\n');
  throw new StartError(
    [
      `The database could not be brought up to date (${result.problem}). What the migration said:`,
      ...lines.map((line) => `  ${terminal.readable(line)}`),
    ].join('\n'),
  );
}

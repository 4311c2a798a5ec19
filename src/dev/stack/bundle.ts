import { join } from 'node:path';

import { runCommand } from '../run-command.ts';
import { StartError } from '../start-error.ts';

const BUNDLE = join(import.meta.dirname, '..', '..', 'commands', 'bundle.ts');
/** 5 s of a core, and much longer on a busy machine. */
const LIMIT_MS = 120_000;

/**
 * The workflows in a file, as the image has them; gives its path.
 *
 * @throws StartError with what the bundler said
 */
export async function prebuildBundle(file: string, signal: AbortSignal): Promise<string> {
  const result = await runCommand(process.execPath, [BUNDLE, file], {
    timeoutMs: LIMIT_MS,
    signal,
  });
  signal.throwIfAborted();
  if (result.ok) return file;
  throw new StartError(
    `The workflows could not be bundled (${result.problem}):\n${result.output.trim()}`,
  );
}

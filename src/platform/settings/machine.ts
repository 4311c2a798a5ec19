import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * What Daybell's embedded mode needs to know about the machine: not settings, but where things are.
 */
export interface Machine {
  /** The search path for programs, in the shell's form. */
  readonly path: string;
  readonly home: string;
  /** Where programs keep what they can download again (XDG Base Directory Specification). */
  readonly cacheHome: string;
  /** The whole environment, to be passed to child processes. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Reads the machine's environment; an empty variable counts as unset. */
export function readMachine(environment: NodeJS.ProcessEnv = process.env): Machine {
  const home = environment['HOME'] || homedir();
  return {
    path: environment['PATH'] ?? '',
    home,
    cacheHome: environment['XDG_CACHE_HOME'] || join(home, '.cache'),
    environment,
  };
}

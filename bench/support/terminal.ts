import { createWriteStream } from 'node:fs';

import type { Terminal } from '../../dev/terminal.ts';
import type { Progress } from './progress.ts';

/**
 * The supervisor's terminal in a bench: deaths are shown, the servers' output goes to a file
 * unchanged. (A Temporal server in trouble writes thousands of lines; formatting them would be
 * measured too.)
 */
export function benchTerminal(progress: Progress, logFile: string): Terminal {
  const log = createWriteStream(logFile, { flags: 'a' });
  // If the folder was emptied meanwhile, no log is needed.
  log.on('error', () => {});
  const write = (line: string): void => void log.write(`${line}\n`);
  return {
    say: write,
    warn: progress.say,
    print: write,
    readable: (line) => line,
    showLine: (name, line) => write(`${name} ${line}`),
  };
}

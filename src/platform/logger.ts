import { pino, type Logger } from 'pino';

export type { Logger };

/** A JSON logger on standard output; every line names its process. */
export function createLogger(processName: string, level: string): Logger {
  const options = {
    level,
    base: { process: processName },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Synchronous: the asynchronous kind writes its buffer when the process exits, and retries
  // forever when the reader is gone, as after the death of a supervisor.
  return pino(options, pino.destination({ dest: 1, sync: true }));
}

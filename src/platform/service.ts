import {
  InvalidSettingsError,
  loadSettings,
  type Settings,
  type SettingsCheck,
} from './settings/settings.ts';
import { describeError } from './errors.ts';
import { createLogger, type Logger } from './logger.ts';
import { type ReadinessCheck, readinessCheck } from './probes.ts';

export interface ServiceContext {
  /** The process's name, such as `dispatcher`. */
  readonly name: string;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Whether the process has started, and is not stopping. */
  checks(): readonly ReadinessCheck[];
  /** Stops the process and exits with an error: for a fault found after the start. */
  fail(error: unknown): void;
  /** Adds a step of the orderly stop. Steps run one after the other, the last added first. */
  onStop(step: () => unknown): void;
}

/**
 * The life of a Daybell process: settings, start, ready, one orderly stop. SIGTERM, SIGINT and the
 * loss of a supervisor end it; a second signal ends it at once. Exit code 0 after an orderly stop,
 * 1 after a failure that ended it, 78 when settings are not usable.
 *
 * @param settingsChecks run before anything is started; the faults of all are reported together
 */
export async function runService(
  name: string,
  start: (context: ServiceContext) => Promise<void>,
  ...settingsChecks: readonly SettingsCheck[]
): Promise<void> {
  const settings = settingsOrExit(settingsChecks);
  const logger = createLogger(name, settings.LOG_LEVEL);
  const steps: (() => unknown)[] = [];
  let started = false;
  let stopping = false;

  const stop = async (why: string, exitCode: number): Promise<void> => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ why }, 'stopping');
    try {
      // A step may add another while it runs.
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
    } catch (error) {
      logger.error({ error: describeError(error) }, 'did not stop cleanly');
      process.exit(1);
    }
    logger.info('stopped');
    process.exit(exitCode);
  };
  const checks = (): readonly ReadinessCheck[] => [
    readinessCheck('process', started && !stopping, stopping ? 'stopping' : 'starting'),
  ];
  const fail = (error: unknown): void => {
    if (stopping) {
      logger.error({ error: describeError(error) }, 'failed while stopping');
      return;
    }
    if (error instanceof InvalidSettingsError) refuse(error);
    logger.fatal({ error: describeError(error) }, 'failed');
    void stop('failure', 1);
  };

  process.on('SIGTERM', () => void stop('SIGTERM', 0));
  process.on('SIGINT', () => void stop('SIGINT', 0));
  process.on('disconnect', () => void stop('its supervisor is gone', 0));
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);

  try {
    await start({
      name,
      settings,
      logger,
      checks,
      fail,
      onStop: (step) => void steps.push(step),
    });
    started = true;
    if (stopping) return;
    logger.info('ready');
    // For a supervisor.
    process.send?.({ type: 'ready' });
  } catch (error) {
    fail(error);
  }
}

/** EX_CONFIG of sysexits.h: restarting would not help. */
const EXIT_CONFIG = 78;

function settingsOrExit(checks: readonly SettingsCheck[]): Settings {
  try {
    return loadSettings(undefined, ...checks);
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    refuse(error);
  }
}

function refuse(error: InvalidSettingsError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(EXIT_CONFIG);
}

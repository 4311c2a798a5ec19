import {
  InvalidSettingsError,
  loadSettings,
  type Settings,
  type SettingsCheck,
} from './settings/settings.ts';
import { describeError } from './errors.ts';
import { createLogger, type Logger } from './logger.ts';

/** Something that a process needs, and whether it is there. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ready: boolean;
  /** In words; without addresses or secrets. */
  readonly detail?: string;
}

export function readinessCheck(name: string, ready: boolean, detail: string): ReadinessCheck {
  return ready ? { name, ready } : { name, ready, detail };
}

/** Logs what probes find, when it has changed: in `failed`, every check that did not pass. */
export function createReadinessLog(logger: Logger): (checks: readonly ReadinessCheck[]) => void {
  let known = '[]';
  return (checks) => {
    const failed = checks.filter(({ ready }) => !ready);
    const found = JSON.stringify(failed);
    if (found === known) return;
    known = found;
    if (failed.length > 0) logger.warn({ failed }, 'not ready');
    else logger.info('ready again');
  };
}

export interface ServiceContext {
  /** The process's name, such as `dispatcher`. */
  readonly name: string;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Whether the process has started, and is not stopping. */
  readiness(): readonly ReadinessCheck[];
  /** Stops the process and exits non-zero: for a fault found after the start. */
  fail(error: unknown): void;
  /** Adds a step of the orderly stop. Steps run one after the other, the last added first. */
  onStop(step: () => unknown): void;
}

/**
 * The life of one of Daybell's processes: settings, start, ready, one orderly stop.
 * SIGTERM, SIGINT and the loss of a supervisor end it; a second signal ends it at once.
 * Exit code 0 after an orderly stop, 1 after a failure that ended it, 78 when settings are not usable.
 *
 * @param checks of the settings, before anything is started: the faults of all are reported together
 */
export async function runService(
  name: string,
  start: (context: ServiceContext) => Promise<void>,
  ...checks: readonly SettingsCheck[]
): Promise<void> {
  const settings = settingsOrExit(checks);
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
  const readiness = (): readonly ReadinessCheck[] => [
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
      readiness,
      fail,
      onStop: (step) => void steps.push(step),
    });
    started = true;
    if (stopping) return;
    logger.info('ready');
    // To a supervisor.
    process.send?.({ type: 'ready' });
  } catch (error) {
    fail(error);
  }
}

/** EX_CONFIG of sysexits.h: starting again would not help. */
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

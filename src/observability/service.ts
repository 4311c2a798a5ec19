import { InvalidSettingsError, loadSettings, type Settings } from '../config/settings.ts';
import { describeError } from './describe-error.ts';
import { createLogger, type Logger } from './logger.ts';

/** Something that a process needs, and whether it is there. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ready: boolean;
  /** In words; without addresses or secrets. */
  readonly detail?: string;
}

export interface ServiceContext {
  readonly settings: Settings;
  readonly logger: Logger;
  /** Whether the process has started, and is not on its way out. */
  readiness(): Promise<readonly ReadinessCheck[]>;
  /** Stops the service and exits non-zero: for a fault found after the start. */
  fail(error: unknown): void;
}

export interface RunningService {
  /** Stops accepting, drains, closes; called once. */
  stop(): Promise<void>;
}

/** What a supervised process tells its supervisor. */
export interface ReadyMessage {
  readonly type: 'ready';
}

/**
 * The life of one of Daybell's processes: settings, start, ready, one orderly stop.
 * SIGTERM, SIGINT and the loss of a supervisor end it; a second signal ends it at once.
 * Exit code 0 after an orderly stop, 1 after a failure that ended it, 78 when settings are not usable.
 */
export async function runService(
  name: string,
  start: (context: ServiceContext) => Promise<RunningService>,
): Promise<void> {
  const settings = settingsOrExit();
  const logger = createLogger(name, settings.LOG_LEVEL);
  let running: RunningService | null = null;
  let stopping = false;

  const stop = async (why: string, exitCode: number): Promise<void> => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ why }, 'stopping');
    try {
      await running?.stop();
    } catch (error) {
      logger.error({ error: describeError(error) }, 'did not stop cleanly');
      process.exit(1);
    }
    logger.info('stopped');
    process.exit(exitCode);
  };
  const readiness = async (): Promise<readonly ReadinessCheck[]> => {
    if (running !== null && !stopping) return [{ name: 'process', ready: true }];
    return [{ name: 'process', ready: false, detail: stopping ? 'stopping' : 'starting' }];
  };
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
    running = await start({ settings, logger, readiness, fail });
    if (stopping) return;
    logger.info('ready');
    process.send?.({ type: 'ready' } satisfies ReadyMessage);
  } catch (error) {
    fail(error);
  }
}

/** EX_CONFIG of sysexits.h: starting again would not help. */
const EXIT_CONFIG = 78;

function settingsOrExit(): Settings {
  try {
    return loadSettings();
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    refuse(error);
  }
}

function refuse(error: InvalidSettingsError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(EXIT_CONFIG);
}

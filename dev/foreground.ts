/** A supervisor at a terminal: its settings and signals, what it shows, and how everything ends. */
import { readMachine, type Machine } from '../src/platform/settings/machine.ts';
import {
  InvalidSettingsError,
  loadSettings,
  requireKeysBeyondLoopback,
  requireSettings,
  type Settings,
} from '../src/platform/settings/settings.ts';
import { requireAllowedHost } from '../src/delivery/wire/destination-guard.ts';
import { takeDataDir } from './data-dir.ts';
import { StartError } from './start-error.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** What there is to start with. */
export interface Startup {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly terminal: Terminal;
  /** Absolute, and held by this process. */
  readonly dataDir: string;
  readonly supervisor: Supervisor;
  /** Aborted when nothing more is to be started. */
  readonly signal: AbortSignal;
}

/** Starts everything in its order; resolves when all is ready. */
export type StartAll = (startup: Startup) => Promise<void>;

/** One Ctrl-C can arrive twice: from the terminal, and from npm, which passes it on. */
const SAME_KEYSTROKE_MS = 500;

/**
 * Runs everything until Ctrl-C, or until it fails; ends the process with the code for that.
 *
 * @param settingsOf gives the settings to run with, of those that were given
 */
export async function runInForeground(
  startAll: StartAll,
  settingsOf: (given: Settings) => Settings = (given) => given,
): Promise<never> {
  // What we store is for us alone; but root's PostgreSQL runs as another user, who passes through.
  process.umask(process.getuid?.() === 0 ? 0o066 : 0o077);
  const machine = readMachine();
  const settings = settingsOrExit(machine.environment, settingsOf);
  const terminal = createTerminal({
    write: (text) => void process.stdout.write(text),
    colours: process.stdout.isTTY && !machine.noColor,
    levelOf: (name) => {
      if (machine.logLevelGiven) return settings.LOG_LEVEL;
      // A receiver of the user's own prints nothing here: the attempts are what there is to see.
      return name === 'dispatcher' && settings.WEBHOOK_URL !== undefined ? 'info' : 'warn';
    },
    servers: ['postgres', 'temporal', 'temporal-ui', 'prometheus'],
  });
  // The terminal may be gone before we are.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  try {
    await run(startAll, { settings, machine, terminal });
    terminal.say('stopped');
    process.exit(0);
  } catch (error) {
    process.stderr.write(`\n${messageOf(error)}\n\n`);
    process.exit(error instanceof StartError ? error.exitCode : 1);
  }
}

/** Starts everything, waits until it is stopped or fails, and stops everything. */
async function run(
  startAll: StartAll,
  { settings, machine, terminal }: Pick<Startup, 'settings' | 'machine' | 'terminal'>,
): Promise<void> {
  const { path, record } = await takeDataDir(settings.DATA_DIR, terminal.say);
  const supervisor = createSupervisor({ terminal, record });
  const stop = new AbortController();
  const ended = Promise.race([
    untilStopped(stop, supervisor),
    supervisor.failed.then((error) => Promise.reject(error)),
  ]);
  const { signal } = stop;
  const starting = startAll({ settings, machine, terminal, dataDir: path, supervisor, signal });
  try {
    await Promise.race([starting, ended]);
    await ended;
    terminal.say('stopping: open requests end first; Ctrl-C once more ends everything now');
  } finally {
    stop.abort();
    await supervisor.stop();
    await starting.catch(() => {});
    record.clear();
  }
}

/**
 * Aborts `stop` and resolves on the first signal to end; the next one kills. Rejects for a fault of
 * our own, which must not leave the others running without us.
 */
function untilStopped(stop: AbortController, supervisor: Supervisor): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopRequestedAt = 0;
    const onSignal = (): void => {
      if (stopRequestedAt === 0) {
        stopRequestedAt = Date.now();
        resolve();
        stop.abort();
      } else if (Date.now() - stopRequestedAt > SAME_KEYSTROKE_MS) {
        supervisor.kill();
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    process.on('uncaughtException', reject);
  });
}

function settingsOrExit(
  environment: NodeJS.ProcessEnv,
  settingsOf: (given: Settings) => Settings,
): Settings {
  try {
    const settings = settingsOf(requireKeysBeyondLoopback(loadSettings(environment)));
    // A receiver of the user's own has to be able to tell us from others.
    if (settings.WEBHOOK_URL === undefined) return settings;
    return requireAllowedHost(requireSettings(settings, 'WEBHOOK_SECRETS'));
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    process.stderr.write(`\n${error.message}\n\n`);
    process.exit(78);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

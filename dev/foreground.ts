/** A supervisor at a terminal: its settings and signals, its output, and how everything ends. */
import { inspect } from 'node:util';

import { readMachine, type Machine } from '../src/platform/settings/machine.ts';
import {
  InvalidSettingsError,
  loadSettings,
  requireKeysBeyondLoopback,
  requireSecretsForUrl,
  type Settings,
} from '../src/platform/settings/settings.ts';
import { requireAllowedHost } from '../src/delivery/wire/destination-guard.ts';
import { takeDataDir } from './data-dir.ts';
import { StartError } from './start-error.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** What to start with. */
export interface Startup {
  readonly settings: Settings;
  readonly machine: Machine;
  readonly terminal: Terminal;
  /** Absolute, and claimed by this process. */
  readonly dataDir: string;
  readonly supervisor: Supervisor;
  /** Aborted when nothing more must be started. */
  readonly signal: AbortSignal;
}

/** One Ctrl-C can arrive twice: from the terminal, and from npm, which forwards it. */
const SAME_KEYSTROKE_MS = 500;

/**
 * Runs everything until Ctrl-C or a failure; ends the process with the matching exit code.
 *
 * @param startAll starts everything in order; resolves when all is ready
 * @param settingsOf returns the settings to run with, based on the given ones
 */
export async function runInForeground(
  startAll: (startup: Startup) => Promise<void>,
  settingsOf: (given: Settings) => Settings = (given) => given,
): Promise<never> {
  // Files that we create are readable by their owner only.
  process.umask(0o077);
  // The terminal may be gone before this process.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  try {
    const machine = readMachine();
    const settings = usableSettings(machine.environment, settingsOf);
    const terminal = createTerminal({
      write: (text) => void process.stdout.write(text),
      // Not with NO_COLOR either.
      colours: process.stdout.isTTY && process.stdout.hasColors(),
      levelOf: (name) => {
        if (machine.environment['LOG_LEVEL']) return settings.LOG_LEVEL;
        // A receiver of the user's own prints nothing here: only the attempts can be seen.
        return name === 'dispatcher' && settings.WEBHOOK_URL !== undefined ? 'info' : 'warn';
      },
      isServer: (name) => /^(postgres|prometheus|temporal(-.+)?)$/.test(name),
    });
    await run(startAll, { settings, machine, terminal });
    terminal.say('stopped');
    process.exit(0);
  } catch (error) {
    const isExpected = error instanceof StartError || error instanceof InvalidSettingsError;
    process.stderr.write(`\n${isExpected ? error.message : inspect(error)}\n\n`);
    if (error instanceof InvalidSettingsError) process.exit(78);
    process.exit(error instanceof StartError ? error.exitCode : 1);
  }
}

/** Starts everything, waits until it is stopped or fails, and stops everything. */
async function run(
  startAll: (startup: Startup) => Promise<void>,
  { settings, machine, terminal }: Pick<Startup, 'settings' | 'machine' | 'terminal'>,
): Promise<void> {
  const record = await takeDataDir(settings.DATA_DIR, terminal.say);
  const supervisor = createSupervisor({ terminal, record });
  const stop = new AbortController();
  const ended = Promise.race([
    untilStopped(stop, supervisor),
    supervisor.failed.then((error) => Promise.reject(error)),
  ]);
  const { dataDir } = record;
  const { signal } = stop;
  const starting = startAll({ settings, machine, terminal, dataDir, supervisor, signal });
  try {
    await Promise.race([starting, ended]);
    await ended;
    terminal.say('stopping: open requests end first; Ctrl-C again ends everything now');
  } finally {
    stop.abort();
    await supervisor.stop();
    await starting.catch(() => {});
    record.clear();
  }
}

/**
 * Aborts `stop` and resolves on the first signal to end; the next one kills. Rejects for a fault in
 * the supervisor itself, which must not leave the others running without it.
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

/** @throws InvalidSettingsError */
function usableSettings(
  environment: NodeJS.ProcessEnv,
  settingsOf: (given: Settings) => Settings,
): Settings {
  return settingsOf(
    loadSettings(
      environment,
      settingsOf,
      requireKeysBeyondLoopback,
      requireAllowedHost,
      requireSecretsForUrl,
    ),
  );
}

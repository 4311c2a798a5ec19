/** A supervisor at somebody's terminal: its settings, its signals, what is shown, and how it ends. */
import { readMachine } from '../platform/settings/machine.ts';
import {
  InvalidSettingsError,
  loadSettings,
  requireKeysBeyondLoopback,
  requireSettings,
  type Settings,
} from '../platform/settings/settings.ts';
import { requireAllowedHost } from '../delivery/wire/destination-guard.ts';
import { runSupervised, type StartAll } from './run-supervised.ts';
import { StartError } from './start-error.ts';
import { TemporalNotFoundError } from './temporal/binary.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** One Ctrl-C can arrive twice: from the terminal, and from npm, which passes it on. */
const SAME_KEYSTROKE_MS = 500;
const PARENT_CHECK_MS = 500;

export interface Foreground {
  readonly startAll: StartAll;
  /** The settings that it is to run with, of those given. */
  readonly settingsOf?: (given: Settings) => Settings;
}

/** Runs all of it until Ctrl-C, or until it fails; ends the process with the code for that. */
export async function runInForeground({ startAll, settingsOf }: Foreground): Promise<never> {
  // What we store is for us alone; PostgreSQL's own user and the like are given theirs by name.
  process.umask(0o077);
  const machine = readMachine();
  const settings = settingsOrExit(machine.environment, settingsOf);
  const stop = new AbortController();
  const kill = new AbortController();
  let crash: unknown = null;
  const terminal = createTerminal({
    write: (text) => void process.stdout.write(text),
    colours: process.stdout.isTTY && !machine.noColor,
    levelOf: (name) => {
      if (machine.logLevelGiven) return settings.LOG_LEVEL;
      // Somebody else's receiver prints nothing here: the attempts are what there is to see.
      return name === 'dispatcher' && settings.WEBHOOK_URL !== undefined ? 'info' : 'warn';
    },
    servers: ['postgres', 'temporal', 'temporal-ui', 'prometheus'],
  });

  stopOnSignals(stop, kill);
  if (machine.startedByNpm) stopWithParent(stop);
  // A fault of our own must not leave the others running without us.
  process.on('uncaughtException', (error) => {
    crash ??= error;
    stop.abort();
  });
  // The terminal may be gone before we are.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});

  const context = {
    settings,
    machine,
    terminal,
    stopRequested: stop.signal,
    killRequested: kill.signal,
  };
  try {
    await runSupervised(context, startAll);
  } catch (error) {
    // What a start that was stopped half way ran into is of no interest.
    if (!stop.signal.aborted) crash ??= error;
  }
  return end(crash, terminal);
}

function end(crash: unknown, terminal: Terminal): never {
  if (crash === null) {
    terminal.say('stopped');
    process.exit(0);
  }
  process.stderr.write(`\n${messageOf(crash)}\n\n`);
  process.exit(crash instanceof StartError ? crash.exitCode : 1);
}

/** The first asks for an orderly end, the next for one at once. */
function stopOnSignals(stop: AbortController, kill: AbortController): void {
  let stopRequestedAt = 0;
  const onSignal = (): void => {
    if (!stop.signal.aborted) {
      stopRequestedAt = Date.now();
      stop.abort();
    } else if (Date.now() - stopRequestedAt > SAME_KEYSTROKE_MS) {
      kill.abort();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
}

/** npm that is killed, or its shell, passes nothing on: then there is another parent. */
function stopWithParent(stop: AbortController): void {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop.abort(), PARENT_CHECK_MS).unref();
}

function messageOf(error: unknown): string {
  if (error instanceof StartError || error instanceof TemporalNotFoundError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function settingsOrExit(
  environment: NodeJS.ProcessEnv,
  settingsOf: Foreground['settingsOf'] = (given) => given,
): Settings {
  try {
    const given = settingsOf(requireKeysBeyondLoopback(loadSettings(environment)));
    // A receiver of one's own has to be able to tell us from others.
    if (given.WEBHOOK_URL === undefined) return given;
    return requireAllowedHost(requireSettings(given, 'WEBHOOK_SECRETS'));
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    process.stderr.write(`\n${error.message}\n\n`);
    process.exit(78);
  }
}

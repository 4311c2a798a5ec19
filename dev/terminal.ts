/** What the terminal shows: the supervisor's own lines, and the processes' logs. */
import { prettyFactory } from 'pino-pretty';

export interface Terminal {
  say(line: string): void;
  warn(line: string): void;
  /** Prints several lines as they are. */
  print(text: string): void;
  /** Prints a line of a process's output, if its level is shown. */
  showLine(processName: string, line: string): void;
  /** Makes a line of a process's output readable: a log line's level, message and fields. */
  readable(line: string): string;
}

export interface TerminalOptions {
  readonly write: (text: string) => void;
  readonly colours: boolean;
  /** The least pino level at which a process's log lines are shown. */
  readonly levelOf: (processName: string) => string;
  /** Whether it is a server, whose lines are not for people: shown only with `debug`. */
  readonly isServer: (processName: string) => boolean;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const NAME_WIDTH = 10;
const CYAN = 36;
const YELLOW = 33;

export function createTerminal({ write, colours, levelOf, isServer }: TerminalOptions): Terminal {
  const pretty = prettyFactory({
    colorize: colours,
    ignore: 'pid,hostname,process,time',
    singleLine: true,
    messageFormat: '{msg}',
  });
  const own = (line: string, colour: number): void =>
    write(`${prefix('daybell')} ${colours ? `\u001B[${colour}m${line}\u001B[0m` : line}\n`);
  const readable = (line: string): string =>
    logLevel(line) === null ? line : pretty(line).trimEnd();
  return {
    say: (line) => own(line, CYAN),
    warn: (line) => own(line, YELLOW),
    print: (text) => write(`${text}\n`),
    readable,
    showLine(name, line) {
      // A plain line of a Daybell process is meant to be read.
      const level = isServer(name) ? 'debug' : (logLevel(line) ?? 'fatal');
      if (LEVELS.indexOf(level) >= LEVELS.indexOf(levelOf(name))) {
        write(`${prefix(name)} ${readable(line)}\n`);
      }
    },
  };
}

/** The level of a log line; null for any other line. */
function logLevel(line: string): string | null {
  return /^\{"level":"(\w+)"/.exec(line)?.[1] ?? null;
}

function prefix(name: string): string {
  return `${new Date().toTimeString().slice(0, 8)} ${name.padEnd(NAME_WIDTH)}`;
}

/** What the person who ran `npm start` sees: the supervisor's own lines, and the processes' logs. */
import { prettyFactory } from 'pino-pretty';
import { z } from 'zod';

export interface Terminal {
  say(line: string): void;
  warn(line: string): void;
  /** Several lines as they are. */
  print(text: string): void;
  /** A line of a process's output, if it is one to be shown. */
  showLine(processName: string, line: string): void;
  /** A line of a process's output for a person: of a log line its level, message and fields. */
  readable(line: string): string;
}

export interface TerminalOptions {
  readonly write: (text: string) => void;
  readonly colours: boolean;
  /** The least level, pino's, of a process's log lines to be shown. */
  readonly levelOf: (processName: string) => string;
  /** Servers, whose lines are no messages to people: shown with `debug` only. */
  readonly servers: readonly string[];
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const NAME_WIDTH = 10;

const logLineSchema = z.object({ level: z.string(), msg: z.string().default('') });

export function createTerminal({ write, colours, levelOf, servers }: TerminalOptions): Terminal {
  const pretty = prettyFactory({
    colorize: colours,
    ignore: 'pid,hostname,process,time',
    singleLine: true,
    messageFormat: '{msg}',
  });
  const own = (line: string, colour: number): void =>
    write(`${prefix('daybell')} ${colours ? `\u001B[${colour}m${line}\u001B[0m` : line}\n`);

  const readable = (line: string): string => (parse(line) === null ? line : pretty(line).trimEnd());

  return {
    say: (line) => own(line, 36),
    warn: (line) => own(line, 33),
    print: (text) => write(`${text}\n`),
    readable,
    showLine(name, line) {
      if (rankOf(name, line) >= LEVELS.indexOf(levelOf(name))) {
        write(`${prefix(name)} ${readable(line)}\n`);
      }
    },
  };

  function rankOf(name: string, line: string): number {
    if (servers.includes(name)) return LEVELS.indexOf('debug');
    // A plain line of a process of ours is meant to be read.
    return LEVELS.indexOf(parse(line)?.level ?? 'fatal');
  }
}

function parse(line: string): { level: string; msg: string } | null {
  if (!line.startsWith('{')) return null;
  try {
    return logLineSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function prefix(name: string): string {
  return `${new Date().toTimeString().slice(0, 8)} ${name.padEnd(NAME_WIDTH)}`;
}

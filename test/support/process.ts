import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface TestProcess {
  readonly child: ChildProcess;
  /** Standard output and error, a line each. */
  readonly lines: string[];
  /** Resolves with the first line, past or future, that matches; rejects if it ends without one. */
  line(pattern: RegExp): Promise<string>;
  /** Resolves with the exit code. */
  exited: Promise<number | null>;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Those of Daybell's processes, by name. */
export const ENTRIES = {
  migrate: 'src/cli/migrate.ts',
  api: 'src/api/main.ts',
  worker: 'src/worker/main.ts',
  dispatcher: 'src/delivery/main.ts',
  scheduler: 'src/planning/main.ts',
} as const;

/** Runs one of Daybell's entry points, with only the given settings. */
export function runProcess(entry: string, settings: NodeJS.ProcessEnv, ipc = false): TestProcess {
  return runProgram(process.execPath, [entry], { settings, ipc });
}

/** How a process logs that it listens, or that it serves its metrics. */
export async function urlOf(
  running: TestProcess,
  what: 'listening' | 'metrics' = 'listening',
): Promise<string> {
  return JSON.parse(await running.line(new RegExp(`"msg":"${what}"`))).url;
}

export interface ProgramOptions {
  readonly settings: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly ipc?: boolean;
  /** A user other than our own; only root can do this. */
  readonly as?: { readonly uid: number; readonly gid: number };
}

/** Of the run: a process whose modules are compiled already takes two thirds of the CPU to start. */
const { NODE_COMPILE_CACHE } = process.env;
const COMPILE_CACHE = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };

/** Runs any program, with only a path and the given settings in its environment. */
export function runProgram(
  program: string,
  args: readonly string[],
  { settings, cwd, ipc = false, as }: ProgramOptions,
): TestProcess {
  const child = spawn(program, args, {
    cwd,
    ...as,
    env: { PATH: process.env['PATH'], ...COMPILE_CACHE, ...settings },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const look of waiting) look();
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    lines,
    exited,
    line(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find((line) => pattern.test(line));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        void exited.then(() => reject(new Error(`ended without ${pattern}:\n${lines.join('\n')}`)));
        look();
      });
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

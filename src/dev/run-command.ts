import { spawn, type SpawnOptions } from 'node:child_process';

export interface CommandResult {
  readonly ok: boolean;
  /** What it wrote to standard output and standard error, the last 64 KB. */
  readonly output: string;
  /** Why it is not ok: exit code, signal, time, or that it could not be started. */
  readonly problem: string;
}

export type CommandOptions = Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> & {
  readonly timeoutMs: number;
  /** Ends the command early. */
  readonly signal?: AbortSignal;
};

const OUTPUT_LIMIT = 65_536;

/** Runs a program to its end; a failure is a result, not an error. */
export function runCommand(
  file: string,
  args: readonly string[],
  { timeoutMs, signal, ...options }: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      ...options,
      // A group of its own: Ctrl-C is for the supervisor, who then ends this one.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const limit = AbortSignal.timeout(timeoutMs);
    const over = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const killGroup = (): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    over.addEventListener('abort', killGroup);
    if (over.aborted) killGroup();
    let output = '';
    const collect = (chunk: string): void => {
      output = (output + chunk).slice(-OUTPUT_LIMIT);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    child.once('error', (error) => resolve({ ok: false, output, problem: error.message }));
    child.once('close', (code, killedBy) => {
      over.removeEventListener('abort', killGroup);
      const problem = killedBy === null ? `exit code ${code}` : `killed by ${killedBy}`;
      const tooLong = limit.aborted ? `took longer than ${timeoutMs / 1000} s` : problem;
      resolve({ ok: code === 0, output, problem: tooLong });
    });
  });
}

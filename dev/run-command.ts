import { spawn, type SpawnOptions } from 'node:child_process';

export interface CommandResult {
  readonly ok: boolean;
  /** What it wrote to standard output and standard error, the last 64 KB. */
  readonly output: string;
  /** Why it failed: exit code, signal, time limit, or that it could not be started. */
  readonly problem: string;
}

export type CommandOptions = Pick<SpawnOptions, 'cwd' | 'env'> & {
  readonly timeoutMs: number;
  /** Ends the command early. */
  readonly signal?: AbortSignal | undefined;
};

const OUTPUT_LIMIT = 65_536;

/** Runs a program to its end. A failure is a result, not an error. */
export function runCommand(
  file: string,
  args: readonly string[],
  { timeoutMs, signal, cwd, env }: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    // In its own process group: Ctrl-C reaches only the supervisor, which then ends this one.
    const child = spawn(file, args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const limit = AbortSignal.timeout(timeoutMs);
    const over = AbortSignal.any(signal === undefined ? [limit] : [signal, limit]);
    const killGroup = (): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    over.addEventListener('abort', killGroup);
    if (over.aborted) killGroup();
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-OUTPUT_LIMIT);
      });
    }
    child.once('error', ({ message }) => resolve({ ok: false, output, problem: message }));
    child.once('close', (code, killedBy) => {
      over.removeEventListener('abort', killGroup);
      const ended = killedBy === null ? `exit code ${code}` : `killed by ${killedBy}`;
      const problem = limit.aborted ? `took longer than ${timeoutMs / 1000} s` : ended;
      resolve({ ok: code === 0, output, problem });
    });
  });
}

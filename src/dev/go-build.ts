/** Building a program with Go, where Go is installed. */
import { firstOnPath } from './programs.ts';
import { runCommand } from './run-command.ts';

export interface GoBuild {
  /** The program in words, as progress has it. */
  readonly what: string;
  /** Such as `github.com/temporalio/cli/cmd/temporal@v1.5.1`. */
  readonly target: string;
  /** For `go install`, such as `-tags`. */
  readonly flags?: readonly string[];
  /** An empty folder that the program is put into, under the last part of the target's path. */
  readonly directory: string;
}

export interface GoBuildOptions {
  /** The search path for programs. */
  readonly path: string;
  /** The environment of the build: proxies, Go's own variables. */
  readonly environment: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
  /** Gives up, and leaves nothing running. */
  readonly signal?: AbortSignal;
}

/** Nine minutes on two busy cores for the largest, downloads included. */
const BUILD_LIMIT_MS = 20 * 60_000;
const PROGRESS_EVERY_MS = 10_000;

/** Builds it; gives what went wrong, or null. */
export async function buildWithGo(
  { what, target, flags = [], directory }: GoBuild,
  options: GoBuildOptions,
): Promise<string | null> {
  const { environment, signal, onProgress } = options;
  const go = await firstOnPath('go', options.path);
  if (go === null) return 'Go build: there is no `go` on the PATH';
  onProgress(`Building ${what} with Go (once; up to 10 minutes on 2 busy cores).`);
  const result = await withElapsed(`Still building ${what}`, onProgress, () =>
    runCommand(go, ['install', ...flags, target], {
      env: { ...environment, GOBIN: directory },
      timeoutMs: BUILD_LIMIT_MS,
      ...(signal === undefined ? {} : { signal }),
    }),
  );
  if (result.ok) return null;
  return `Go build: ${result.problem}: ${result.output.trim().split('\n').at(-1) ?? ''}`;
}

/** Says every ten seconds that the work still goes on. */
export async function withElapsed<Result>(
  what: string,
  onProgress: (line: string) => void,
  work: () => Promise<Result>,
): Promise<Result> {
  const started = Date.now();
  const timer = setInterval(() => {
    onProgress(`${what}, ${Math.round((Date.now() - started) / 1000)} s so far.`);
  }, PROGRESS_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

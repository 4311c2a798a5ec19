/** What commands have in common: how they end, and how they call a running Daybell. */
import { InvalidSettingsError, type Settings } from '../platform/settings/settings.ts';
import { whyUnusable } from '../platform/database/unusable.ts';
import { errorCode, errorLine, isOfDatabase } from '../platform/errors.ts';

/** Exit codes other than 0, success. Those above 63 are from sysexits.h. */
export const EXIT = {
  failed: 1,
  badInput: 2,
  usage: 64,
  /** The service it needs is not there, or does not answer. */
  unavailable: 69,
  config: 78,
} as const;

/** Thrown by a command that ends with a message and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/**
 * Runs a command: prints the text that it returns, or ends with the exit code that it returns. An
 * error's message goes to standard error.
 */
export async function runCommand(run: () => Promise<string | number>): Promise<void> {
  try {
    const result = await run();
    if (typeof result === 'number') process.exitCode = result;
    else process.stdout.write(result);
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

/** Writes an error's message to standard error, and returns the exit code. */
export function reportError(error: unknown): number {
  process.stderr.write(`${messageOf(error)}\n`);
  if (error instanceof CommandError) return error.exitCode;
  return error instanceof InvalidSettingsError ? EXIT.config : EXIT.failed;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isOfDatabase(error)) return explainFailure(error) ?? errorLine(error);
  return error.message || errorCode(error);
}

/** Explains a database that cannot be used, in a sentence; null for any other error. */
export function explainFailure(error: unknown): string | null {
  const why = whyUnusable(error);
  return why && `The database cannot be used: ${why}.`;
}

/** To standard error: standard output may go to another program. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

export type RunningApi = ReturnType<typeof runningApi>;

/**
 * The API that should run here according to the settings, and its key for every request, if set.
 */
export function runningApi({ HOST, PORT, API_KEY }: Pick<Settings, 'HOST' | 'PORT' | 'API_KEY'>) {
  // The address it listens on is not always one to connect to.
  const host = HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST;
  const headers: Readonly<Record<string, string>> =
    API_KEY === undefined ? {} : { Authorization: `Bearer ${API_KEY}` };
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${PORT}`, headers };
}

/** Describes a response other than success, with a hint if it is about keys. */
export function refusedBy(
  { url, headers }: RunningApi,
  { status }: Pick<Response, 'status'>,
  text: string,
): string {
  const hint =
    status !== 401 && status !== 403
      ? ''
      : headers['Authorization'] === undefined
        ? ' Set API_KEY to a key of it.'
        : ' API_KEY is not a key of it that may do this.';
  return `${url} answered ${status}: ${text}${hint}`;
}

/**
 * Calls the Daybell that runs at HOST and PORT, for a command without settings of its own.
 *
 * @param instead the settings that would make it unnecessary
 */
export async function askRunningApi(
  settings: Settings,
  path: string,
  { instead = 'DATABASE_URL', method = 'GET' } = {},
): Promise<unknown> {
  const api = runningApi(settings);
  const { url, headers } = api;
  const response = await fetch(`${url}${path}`, { method, headers }).catch(() => null);
  if (response === null) {
    const [setting] = instead.split(' ');
    throw new CommandError(
      `${setting} is not set, and no Daybell answers at ${url} (HOST, PORT). Start one, or set ${instead}.`,
      EXIT.unavailable,
    );
  }
  const text = await response.text();
  if (!response.ok) throw new CommandError(refusedBy(api, response, text), EXIT.unavailable);
  return JSON.parse(text);
}

import { InvalidSettingsError, type Settings } from '../config/settings.ts';
import { describeError } from '../observability/describe-error.ts';
import { EXIT } from './exit.ts';

/** Thrown when the Daybell that runs gives no answer to a command. */
export class ApiAwayError extends Error {
  override readonly name = 'ApiAwayError';
}

export interface RunningApi {
  /** Such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Those that every request takes: the key, if one is set. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The API that the settings say runs here, for commands that ask it: HOST, PORT, and API_KEY. */
export function runningApi({
  HOST,
  PORT,
  API_KEY,
}: Pick<Settings, 'HOST' | 'PORT' | 'API_KEY'>): RunningApi {
  // What is listened on is not always what can be connected to.
  const host = HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${PORT}`,
    headers: API_KEY === undefined ? {} : { Authorization: `Bearer ${API_KEY}` },
  };
}

/** What an answer that is no success says, and how to come by it when it is about keys. */
export function refusedBy(
  { url, headers }: RunningApi,
  { status }: Response,
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
 * Asks the Daybell that runs at HOST and PORT, for a command without a database of its own.
 *
 * @throws ApiAwayError when it is not there, or answers with an error
 */
export async function askRunningApi(settings: Settings, path: string): Promise<unknown> {
  const api = runningApi(settings);
  const { url, headers } = api;
  const response = await fetch(`${url}${path}`, { headers }).catch(() => null);
  if (response === null) {
    throw new ApiAwayError(
      `DATABASE_URL is not set, and no Daybell answers at ${url} (HOST, PORT). Start one, or set DATABASE_URL.`,
    );
  }
  const text = await response.text();
  if (!response.ok) throw new ApiAwayError(refusedBy(api, response, text));
  return JSON.parse(text);
}

/** For a command that reads the database, or asks the API: says why it failed, and gives how it ends. */
export function endUnanswered(what: string, error: unknown): number {
  const isConfig = error instanceof InvalidSettingsError;
  const message =
    isConfig || error instanceof ApiAwayError
      ? error.message
      : `The ${what} failed: ${JSON.stringify(describeError(error))}`;
  process.stderr.write(`${message}\n`);
  return isConfig ? EXIT.config : EXIT.unavailable;
}

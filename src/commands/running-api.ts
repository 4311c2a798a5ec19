import type { Settings } from '../config/settings.ts';

/** Thrown when the Daybell that runs gives no answer to a command. */
export class ApiAwayError extends Error {
  override readonly name = 'ApiAwayError';
}

/**
 * Asks the Daybell that runs at HOST and PORT, for a command without a database of its own.
 *
 * @throws ApiAwayError when it is not there, or answers with an error
 */
export async function askRunningApi({ HOST, PORT }: Settings, path: string): Promise<unknown> {
  const host = HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST;
  const api = `http://${host.includes(':') ? `[${host}]` : host}:${PORT}`;
  const response = await fetch(`${api}${path}`).catch(() => null);
  if (response === null) {
    throw new ApiAwayError(
      `DATABASE_URL is not set, and no Daybell answers at ${api} (HOST, PORT). Start one, or set DATABASE_URL.`,
    );
  }
  const text = await response.text();
  if (!response.ok) throw new ApiAwayError(`${api} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

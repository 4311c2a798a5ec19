/** A client of Daybell's API over HTTP, with kept connections. */
import { Agent, request } from 'node:http';

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

export interface ApiClient {
  /** Rejects if there is no response. */
  send(method: string, path: string, body?: object): Promise<ApiAnswer>;
  close(): void;
}

/** @param maxSockets the most connections */
export function createApiClient(url: string, maxSockets: number): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets });
  return {
    send: (method, path, body) =>
      new Promise((resolve, reject) => {
        const headers = body === undefined ? {} : { 'content-type': 'application/json' };
        const sent = request(`${url}${path}`, { method, agent, headers }, (response) => {
          const chunks: string[] = [];
          response.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
          response.once('end', () =>
            resolve({ status: response.statusCode ?? 0, body: chunks.join('') }),
          );
          response.once('error', reject);
        });
        sent.once('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}

/**
 * The run's Temporal servers, for tests that ask: nothing is started, fetched or built
 * for a run of unit tests. Lives in the global setup; `temporal.ts` asks it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { readMachine } from '../../src/config/machine.ts';
import { findTemporalBinary } from '../../src/dev/temporal-binary.ts';
import { startDevServer } from './dev-server.ts';
import { findTestServer } from './test-server-binary.ts';

export interface TemporalOffer {
  /** Answers `GET /<what>` with its address or path, as text. */
  readonly url: string;
  /** Stops what was started. */
  withdraw(): Promise<void>;
}

/** Offers the address of one shared dev server, and the paths of both servers' programs. */
export async function offerTemporal(): Promise<TemporalOffer> {
  const { path, cacheHome, environment } = readMachine();
  const binary = once(() =>
    findTemporalBinary({ path, cacheHome, environment, onProgress: (line) => console.log(line) }),
  );
  const devServer = once(async () => startDevServer({ binary: await binary() }));
  const offers: Record<string, () => Promise<string>> = {
    '/dev-server': async () => (await devServer()).address,
    '/dev-server-program': binary,
    '/test-server-program': once(findTestServer),
  };

  const server = createServer(async ({ url }, response) => {
    try {
      const get = offers[url ?? ''];
      if (get === undefined) throw new Error(`there is no ${url}`);
      response.end(await get());
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async withdraw() {
      server.closeAllConnections();
      server.close();
      if (devServer.started()) await (await devServer()).stop();
    },
  };
}

interface Once<Value> {
  (): Promise<Value>;
  started(): boolean;
}

/** Done at the first call, for all. */
function once<Value>(work: () => Promise<Value>): Once<Value> {
  let value: Promise<Value> | null = null;
  return Object.assign(() => (value ??= work()), { started: () => value !== null });
}

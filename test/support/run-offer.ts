/**
 * The run's Temporal servers, and programs that only tests use, for tests that ask: nothing is
 * started, fetched or built for a run of unit tests. Lives in the global setup; `ask-run.ts`
 * asks it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { findProductionPrograms, findTemporalUi } from '../../dev/temporal/production-programs.ts';
import { findTemporalBinary } from '../../dev/temporal/binary.ts';
import { findChromium } from './chromium.ts';
import { startDevServer } from './dev-server.ts';
import { findPrometheus, findPromtool } from './prometheus-binary.ts';
import { runProgram } from './process.ts';
import { findTestServer } from './test-server-binary.ts';

export interface RunOffer {
  /** Answers `GET /<what>` with its address or path, as text. */
  readonly url: string;
  /** Stops what was started. */
  withdraw(): Promise<void>;
}

/** Offers the address of one shared dev server, bundled workflows, and the paths of programs. */
export async function offerToRun(): Promise<RunOffer> {
  const { path, cacheHome, environment } = readMachine();
  const binary = once(() =>
    findTemporalBinary({ path, cacheHome, environment, onProgress: (line) => console.log(line) }),
  );
  const production = () =>
    findProductionPrograms({
      path,
      cacheHome,
      environment,
      onProgress: (line) => console.log(line),
    });
  const devServer = once(async () => startDevServer({ binary: await binary() }));
  const bundle = once(bundleWorkflows);
  const ui = () =>
    findTemporalUi({ path, cacheHome, environment, onProgress: (line) => console.log(line) });
  const offers: Record<string, () => Promise<string>> = {
    '/dev-server': async () => (await devServer()).address,
    '/dev-server-program': binary,
    '/production-programs': once(async () => JSON.stringify(await production())),
    '/temporal-ui-program': once(ui),
    '/test-server-program': once(findTestServer),
    '/workflow-bundle': async () => (await bundle()).path,
    '/promtool': once(findPromtool),
    '/prometheus': once(findPrometheus),
    '/chromium': once(async () => JSON.stringify(await findChromium())),
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
      if (bundle.started()) await (await bundle()).remove();
    },
  };
}

/** As in an image (`npm run bundle`): each worker would take seconds to do the same. */
async function bundleWorkflows(): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'daybell-bundle-'));
  const path = join(folder, 'workflows.json');
  const bundling = runProgram(process.execPath, ['src/cli/bundle.ts', path], { settings: {} });
  if ((await bundling.exited) !== 0) throw new Error(bundling.lines.join('\n'));
  return { path, remove: () => rm(folder, { recursive: true }) };
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

/**
 * Temporal's time-skipping server, for one test file: its time is everybody's. Started here
 * and not by the SDK, which gives it 5 s: a busy machine may need longer for Java alone.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, Connection } from '@temporalio/client';
import {
  type InternalConnectionOptions,
  InternalConnectionOptionsSymbol,
} from '@temporalio/client/lib/connection.js';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import { NativeConnection } from '@temporalio/worker';

import { freePort } from './free-port.ts';

/**
 * A Temporal server whose time, or what Daybell takes for it, is set by a test. Instants are epoch
 * ms.
 */
export interface TimedServer {
  /** Awaiting a result does not skip time, as it does with the client of the SDK's own environment. */
  readonly client: Client;
  readonly connection: NativeConnection;
  now(): Promise<number>;
  /**
   * Lets time pass until the instant, if it is in the future; whatever falls due on the way is done
   * on the way.
   */
  passUntil(instant: number): Promise<void>;
  close(): Promise<void>;
}

const START_LIMIT_MS = 180_000;

/** @param program the path of the server */
export async function startTimeSkippingProgram(program: string): Promise<TimedServer> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const server = spawn(program, [String(port)], { stdio: 'ignore' });
  try {
    const clientConnection = await connectTo(address, server);
    const connection = await NativeConnection.connect({ address });
    const { testService } = clientConnection;
    if (testService === undefined) throw new Error('This SDK offers no test service.');
    const now = async () => tsToMs((await testService.getCurrentTime({})).time);
    return {
      client: new Client({ connection: clientConnection }),
      connection,
      now,
      async passUntil(instant) {
        const ms = instant - (await now());
        if (ms > 0) await testService.unlockTimeSkippingWithSleep({ duration: msToTs(ms) });
      },
      async close() {
        await clientConnection.close();
        await connection.close();
        await end(server);
      },
    };
  } catch (error) {
    await end(server);
    throw error;
  }
}

async function connectTo(address: string, server: ChildProcess): Promise<Connection> {
  const deadline = Date.now() + START_LIMIT_MS;
  const options: InternalConnectionOptions = {
    address,
    connectTimeout: 5_000,
    [InternalConnectionOptionsSymbol]: { supportsTestService: true },
  };
  while (server.exitCode === null && Date.now() < deadline) {
    const connection = Connection.lazy(options);
    try {
      await connection.ensureConnected();
      return connection;
    } catch {
      await connection.close();
      await sleep(100);
    }
  }
  throw new Error(`Temporal's time-skipping server at ${address} did not start`);
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

/**
 * Requests to the API at a fixed rate, whether or not the earlier ones have been answered (open
 * loop). A latency counts from the moment when the request should have been sent, so that waiting
 * for a turn is included (no coordinated omission).
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { ApiAnswer, ApiClient } from './api-client.ts';

export interface CrudSample {
  readonly operation: string;
  /** When it should have been sent, epoch ms. */
  readonly scheduledAt: number;
  readonly latencyMs: number;
  /** 0 if there was no response. */
  readonly status: number;
}

export interface CrudLoad {
  /** Sends no more requests; resolves with all samples when the last response has arrived. */
  stop(): Promise<CrudSample[]>;
}

export interface CrudLoadOptions {
  readonly client: ApiClient;
  readonly requestsPerSecond: number;
  /** Ids of existing users to read. */
  readonly userIds: readonly string[];
  /** The date of birth of created users. */
  readonly dateOfBirth: string;
}

/** The mix of ten requests. Users who are changed or deleted were created by these requests. */
const MIX = [
  'read',
  'create',
  'read',
  'change name',
  'list',
  'read',
  'create',
  'change zone',
  'read',
  'delete',
] as const;

export function startCrudLoad(options: CrudLoadOptions): CrudLoad {
  const { client, requestsPerSecond, userIds, dateOfBirth } = options;
  const intervalMs = 1_000 / requestsPerSecond;
  const samples: CrudSample[] = [];
  const open = new Set<Promise<void>>();
  const created: string[] = [];
  let sent = 0;
  const stopping = new AbortController();

  const someone = (): string => userIds[Math.floor(Math.random() * userIds.length)] ?? '';
  /** Users from before are only read: some of them may be due. */
  const change = (method: string, id: string | undefined, fields?: object): Promise<ApiAnswer> =>
    id === undefined
      ? client.send('GET', `/v1/users/${someone()}`)
      : client.send(method, `/v1/users/${id}`, fields);

  const perform = async (operation: (typeof MIX)[number]): Promise<number> => {
    switch (operation) {
      case 'read':
        return (await client.send('GET', `/v1/users/${someone()}`)).status;
      case 'list':
        return (await client.send('GET', '/v1/users?limit=50')).status;
      case 'create': {
        const user = { firstName: 'Crud', lastName: 'Load', dateOfBirth, timezone: 'UTC' };
        const { status, body } = await client.send('POST', '/v1/users', user);
        if (status === 201) created.push((JSON.parse(body) as { id: string }).id);
        return status;
      }
      case 'change name':
        return (await change('PATCH', created.at(-1), { firstName: 'Crude' })).status;
      case 'change zone':
        return (await change('PATCH', created.at(-1), { timezone: 'Asia/Tokyo' })).status;
      case 'delete':
        return (await change('DELETE', created.shift())).status;
    }
  };

  const measure = async (index: number, scheduled: number): Promise<void> => {
    const operation = MIX[index % MIX.length] ?? 'read';
    const status = await perform(operation).catch(() => 0);
    const latencyMs = performance.now() - scheduled;
    samples.push({ operation, scheduledAt: performance.timeOrigin + scheduled, latencyMs, status });
  };

  const run = async (): Promise<void> => {
    const startedAt = performance.now();
    while (!stopping.signal.aborted) {
      const scheduled = startedAt + sent * intervalMs;
      const waitMs = scheduled - performance.now();
      if (waitMs > 0) {
        await sleep(waitMs);
        continue;
      }
      const request = measure(sent, scheduled).finally(() => open.delete(request));
      open.add(request);
      sent += 1;
    }
    await Promise.all(open);
  };

  const finished = run();
  return {
    async stop() {
      stopping.abort();
      await finished;
      return samples;
    },
  };
}

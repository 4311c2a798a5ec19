import { setTimeout as sleep } from 'node:timers/promises';

import { InvalidSettingsError } from '../config/settings.ts';
import type { TemporalConnection } from './connection.ts';
import { TemporalAwayError } from './errors.ts';
import { findOrMark, markId } from './namespace-mark.ts';

export interface NamespaceGuard {
  /**
   * Resolves when the namespace is known to be this installation's, at once from then on.
   * Rejects with `TemporalAwayError` as long as it cannot be known, and for good with
   * `InvalidSettingsError` when it is another's.
   */
  check(): Promise<void>;
  /** Checks in the background until it knows; for a process that does not wait for Temporal. */
  start(): void;
  /** Ends asking. A call under way ends with the connection. */
  stop(): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Keeps two installations out of each other's workflows. The mark is a schedule that never
 * runs, `<task queue>/installation`: made by whoever comes first, in one step, and kept by
 * Temporal for ever (docs/adr/0009-installations.md).
 *
 * @param findInstallationId of this installation; null while its database does not know yet
 * @param onRefused told once when the namespace is another installation's
 */
export function createNamespaceGuard(
  { client, taskQueue }: Pick<TemporalConnection, 'client' | 'taskQueue'>,
  findInstallationId: () => Promise<string | null>,
  onRefused: (error: InvalidSettingsError) => void,
): NamespaceGuard {
  const stopping = new AbortController();
  let checking: Promise<void> | null = null;
  let isSettled = false;

  async function checkOnce(): Promise<void> {
    const installationId = await findInstallationId().catch((error: unknown) => {
      throw new TemporalAwayError('the database is away', { cause: error });
    });
    if (installationId === null) {
      throw new TemporalAwayError('the database has not been migrated');
    }
    const owner = await findOrMark(client, taskQueue, installationId);
    if (owner === installationId) return;
    throw new InvalidSettingsError([
      `TEMPORAL_TASK_QUEUE: in the namespace "${client.options.namespace}" of this Temporal, "${taskQueue}" is the task queue of another installation (${owner}; that of this database is ${installationId}). Give this one a namespace or a task queue of its own; if the other is gone for good, delete the schedule "${markId(taskQueue)}".`,
    ]);
  }

  async function settle(): Promise<void> {
    try {
      await checkOnce();
      isSettled = true;
    } catch (error) {
      if (error instanceof InvalidSettingsError) {
        isSettled = true;
        onRefused(error);
      } else {
        // Another call asks again.
        checking = null;
      }
      throw error;
    }
  }

  function check(): Promise<void> {
    checking ??= settle();
    return checking;
  }

  async function checkUntilSettled(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; !stopping.signal.aborted; pauseMs *= 2) {
      await check().catch(() => {});
      if (isSettled) return;
      const pause = Math.min(pauseMs, LONGEST_PAUSE_MS);
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  return {
    check,
    start() {
      void checkUntilSettled();
    },
    stop: () => stopping.abort(),
  };
}

/** A port whose calls wait until the namespace is known to be ours; the others reject as `check` does. */
export function guarded<Port extends { readonly [Name in keyof Port]: Port[Name] }>(
  port: Port,
  { check }: Pick<NamespaceGuard, 'check'>,
): Port {
  const calls = Object.entries(port as Record<string, (...args: unknown[]) => Promise<unknown>>);
  return Object.fromEntries(
    calls.map(([name, call]) => [
      name,
      async (...args: unknown[]) => {
        await check();
        return call(...args);
      },
    ]),
  ) as Port;
}

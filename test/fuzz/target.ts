/**
 * The target of the fuzzing: the process api, with keys, on real servers and with users in its
 * database.
 */
import { SCOPES } from '../../src/access/api-key.ts';
import { withinLimit } from '../../src/platform/async.ts';
import { newApiKey } from '../../src/platform/settings/api-keys.ts';
import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { connectOrm } from '../../src/platform/database/orm.ts';
import { createEventRows } from '../support/event-rows.ts';
import { runProcess, urlOf } from '../support/process.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

export interface FuzzTarget {
  readonly url: string;
  /** A key that may do everything. */
  readonly key: string;
  /** Its log, a line each. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

export interface FuzzPlace {
  /** Migrated, and its own. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly taskQueue: string;
}

export async function startTarget(place: FuzzPlace): Promise<FuzzTarget> {
  await addPeople(place.databaseUrl);
  const receiver = await startWebhookReceiver();
  const { key, entry } = newApiKey('fuzz', SCOPES);
  const api = runProcess('src/api/main.ts', {
    PORT: '0',
    DATABASE_URL: place.databaseUrl,
    TEMPORAL_ADDRESS: place.temporalAddress,
    TEMPORAL_TASK_QUEUE: place.taskQueue,
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRETS: newWebhookSecret(),
    WEBHOOK_ALLOW_PRIVATE: 'true',
    API_KEYS: entry,
    // The limit is tested elsewhere; here it would hide everything behind it.
    API_MAX_PER_SECOND: '100000',
  });
  const stop = async (): Promise<void> => {
    await api.stop();
    await receiver.close();
  };
  try {
    return { url: await withinLimit(urlOf(api), START_LIMIT_MS), key, log: api.lines, stop };
  } catch (error) {
    await stop();
    throw new Error(`The API did not start:\n${api.lines.join('\n')}`, { cause: error });
  }
}

/** On a busy machine. What it waits for without an end is in its log. */
const START_LIMIT_MS = 120_000;

const STATES = ['FAILED', 'SKIPPED', 'COMPLETED', 'PENDING'] as const;

/** A user with an occurrence in each state, and enough others for a second page. */
async function addPeople(databaseUrl: string): Promise<void> {
  const orm = await connectOrm(databaseUrl);
  try {
    const rows = createEventRows(orm);
    for (const [index, state] of STATES.entries()) {
      const user = await rows.addUser();
      await rows.addOccurrence(user, { state, nominalDate: `${2024 + index}-05-20` });
    }
    await rows.addHerd(60, Date.now() + 3_600_000);
  } finally {
    await orm.close(true);
  }
}

/** What can be seen from the outside: by the receiver, in the ledger, of the workflow. */
import type { Client } from '@temporalio/client';

import type { TestApi } from '../../support/api.ts';
import { followWorkflows, type FollowedWorkflows } from '../../support/followed-workflow.ts';
import type { WebhookReceiver } from '../../support/webhook-receiver.ts';

export interface Observations extends FollowedWorkflows {
  /** What the receiver was sent for the user, in the order of arrival. */
  greetingsOf(userId: string): Greeting[];
  /** What the API tells of the user's occurrences, the earliest first. */
  ledgerOf(userId: string): Promise<LedgerEntry[]>;
  /** The rows themselves, which outlive the user. */
  rowsOf(userId: string): Promise<OccurrenceRow[]>;
}

/** One request, as the receiver saw it. */
export interface Greeting {
  readonly webhookId: string;
  readonly scheduledFor: string;
  readonly localDate: string;
  readonly timezone: string;
  readonly latenessMs: number;
  readonly late: boolean;
  readonly message: string;
}

export interface LedgerEntry {
  readonly webhookId: string;
  readonly state: string;
  readonly reason: string | null;
  readonly fireAt: string | null;
  readonly attempts: readonly object[];
}

type ApiOccurrence = Omit<LedgerEntry, 'webhookId' | 'state'> & { key: string; status: string };

export interface OccurrenceRow {
  readonly key: string;
  readonly state: string;
  readonly reason: string | null;
  readonly attempts: readonly { readonly number: number; readonly status: number | null }[];
}

const ROWS = `
  select key, state, reason, coalesce((
    select jsonb_agg(jsonb_build_object('number', number, 'status', status) order by number)
    from events.attempts where occurrence_key = key), '[]') as attempts
  from events.occurrences where user_id = ? order by year`;

export function observe(deps: {
  readonly client: Client;
  readonly api: TestApi;
  readonly receiver: WebhookReceiver;
}): Observations {
  const { client, api, receiver } = deps;

  return {
    ...followWorkflows(client),

    greetingsOf(userId) {
      const ofUser = receiver.received.filter(({ body }) => body.data.userId === userId);
      return ofUser.map(({ id, headers, body }) => ({
        webhookId: id,
        scheduledFor: body.data.scheduledFor,
        localDate: body.data.localDate,
        timezone: body.data.timezone,
        latenessMs: Number(headers['daybell-lateness-ms']),
        late: body.data.late,
        message: body.message,
      }));
    },

    async ledgerOf(userId) {
      const { body } = await api.send('GET', `/v1/users/${userId}/occurrences`);
      // By the words of the webhook and of the rows, beside which tests hold them.
      return body.occurrences
        .map(({ key, status, ...others }: ApiOccurrence) =>
          Object.assign(others, { webhookId: key, state: status }),
        )
        .toReversed();
    },

    rowsOf: (userId) => api.sql<OccurrenceRow>(ROWS, [userId]),
  };
}

/** What can be seen from the outside: by the receiver, in the ledger, of the workflow. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client, WorkflowHandle } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';

import { workflowId } from '../../../src/domain/occurrence-key.ts';
import { statusQuery, type YearlyEventStatus } from '../../../src/workflows/messages.ts';
import type { TestApi } from '../../support/api.ts';
import type { WebhookReceiver } from '../../support/webhook-receiver.ts';

export interface Observations {
  /** What the receiver was sent for the user, in the order of arrival. */
  greetingsOf(userId: string): Greeting[];
  /** What the API tells of the user's occurrences, the earliest first. */
  ledgerOf(userId: string): Promise<LedgerEntry[]>;
  /** The rows themselves, which outlive the user. */
  rowsOf(userId: string): Promise<OccurrenceRow[]>;
  /** What the user's workflow says of itself, once it has planned what it was told. */
  statusOf(userId: string): Promise<YearlyEventStatus>;
  /** The user's workflow, whichever run it is in. */
  workflowOf(userId: string): WorkflowHandle;
  /** The histories of all its runs, the first one first. */
  historiesOf(userId: string): Promise<HistoryEvent[][]>;
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

export type HistoryEvent = NonNullable<History['events']>[number];

export function observe(deps: {
  readonly client: Client;
  readonly api: TestApi;
  readonly receiver: WebhookReceiver;
}): Observations {
  const { client, api, receiver } = deps;
  const workflowOf = (userId: string) => client.workflow.getHandle(workflowId('birthday', userId));

  return {
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
      return body.occurrences.toReversed();
    },

    rowsOf: (userId) => api.sql<OccurrenceRow>(ROWS, [userId]),

    async statusOf(userId) {
      for (;;) {
        const status = await workflowOf(userId).query(statusQuery);
        if (status.waitingFor !== 'plan') return status;
        await sleep(10);
      }
    },

    workflowOf,

    async historiesOf(userId) {
      const workflow = workflowOf(userId);
      const { events: last } = await workflow.fetchHistory();
      let runId = last?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId;
      const histories: HistoryEvent[][] = [];
      while (runId) {
        const run = client.workflow.getHandle(workflow.workflowId, runId);
        const events = (await run.fetchHistory()).events ?? [];
        histories.push(events);
        runId = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
      }
      return histories;
    },
  };
}

/**
 * What is visible from outside of the occasion that a test is about: at the receiver, and in the
 * ledger.
 */
import { shownState } from '../../../src/ledger/sql.ts';
import type { OccasionRef } from '../../../src/ledger/types.ts';
import type { TestApi } from '../../support/api.ts';
import type { WebhookReceiver } from '../../support/webhook-receiver.ts';

export interface Observations {
  /** What the receiver was sent for the user, in the order of arrival. */
  greetingsOf(userId: string): Greeting[];
  /** What the API says of its occurrences, the earliest first. */
  ledgerOf(userId: string): Promise<LedgerEntry[]>;
  /** What the API returns about its occurrences, the earliest first. */
  nextOf(userId: string): Promise<LedgerEntry | undefined>;
  /** The rows themselves, which outlive the user. */
  rowsOf(userId: string): Promise<OccurrenceRow[]>;
}

/** One request, as received. */
export interface Greeting {
  readonly key: string;
  readonly dueAt: string;
  readonly localDate: string;
  readonly timezone: string;
  readonly latenessMs: number;
  readonly late: boolean;
  readonly message: string;
}

export interface LedgerEntry {
  readonly key: string;
  readonly status: string;
  readonly reason: string | null;
  readonly dueAt: string | null;
  readonly attempts: readonly object[];
}

export interface OccurrenceRow {
  readonly key: string;
  readonly state: string;
  readonly reason: string | null;
  readonly attempts: readonly { readonly number: number; readonly status: number | null }[];
}

const ROWS = `
  select key, ${shownState('occurrences')} as state, reason, coalesce((
    select jsonb_agg(jsonb_build_object('number', number, 'status', status) order by number)
    from events.attempts where occurrence_key = key), '[]') as attempts
  from events.occurrences where occasion_id = ? order by nominal_date`;

export function observe({
  api,
  receiver,
  occasionOf,
}: {
  readonly api: TestApi;
  readonly receiver: WebhookReceiver;
  readonly occasionOf: (userId: string) => OccasionRef;
}): Observations {
  const ledgerOf = async (userId: string): Promise<LedgerEntry[]> => {
    const { body } = await api.send('GET', `/v1/users/${userId}/occurrences`);
    const { type, id } = occasionOf(userId);
    const occurrences: LedgerEntry[] = body.occurrences;
    return occurrences.filter(({ key }) => key.startsWith(`${type}:${id}:`)).toReversed();
  };
  return {
    ledgerOf,

    greetingsOf(userId) {
      const { id: occasionId } = occasionOf(userId);
      const sent = receiver.received.filter(({ body }) => body.data.occasion?.id === occasionId);
      return sent.map(({ id, headers, body }) => ({
        key: id,
        dueAt: body.data.occasion.dueAt,
        localDate: body.data.occasion.observedDate ?? body.data.occasion.nominalDate,
        timezone: body.data.occasion.timezone,
        latenessMs: Number(headers['daybell-lateness-ms']),
        late: body.data.late,
        message: body.message,
      }));
    },

    async nextOf(userId) {
      return (await ledgerOf(userId)).findLast(({ status }) => status === 'PENDING');
    },

    rowsOf: (userId) => api.sql<OccurrenceRow>(ROWS, [occasionOf(userId).id]),
  };
}

import type { ClaimedOccurrence } from '../ledger/types.ts';
import type { Recipient } from './recipient.ts';

type Claimed = Pick<
  ClaimedOccurrence,
  'key' | 'occasionType' | 'nominalDate' | 'keptDate' | 'recurrence' | 'date' | 'timezone' | 'dueAt'
>;

export interface WebhookBodyInput {
  readonly claimed: Claimed;
  readonly recipient: Pick<
    Recipient,
    'userId' | 'externalId' | 'firstName' | 'lastName' | 'occasion' | 'message'
  >;
  readonly late: boolean;
}

export type WebhookBody = ReturnType<typeof webhookBody>;

/**
 * Composes the JSON body of the webhook, which has one shape for all occasion types, and is the
 * same on every attempt except for `late`. Names and data are the current ones. Dates and zone are
 * the plan's, like the due instant: a redelivered user may have moved.
 */
export function webhookBody({ claimed, recipient, late }: WebhookBodyInput) {
  const { key, occasionType, nominalDate, keptDate, recurrence, date, timezone } = claimed;
  const { userId, externalId, firstName, lastName, occasion } = recipient;
  const dueAt = new Date(claimed.dueAt).toISOString();
  const observedDate = keptDate === nominalDate ? null : keptDate;
  const years = countsYears(recurrence) ? yearOf(nominalDate) - yearOf(date) : null;
  const { data } = occasion;
  const values = { firstName, lastName, years, date: keptDate, data };
  return {
    type: `${occasionType}.due`,
    // When the event occurred, as Standard Webhooks defines it: the due instant, not that of
    // sending.
    timestamp: dueAt,
    message: recipient.message(values),
    data: {
      occurrenceKey: key,
      late,
      user: { id: userId, externalId, firstName, lastName },
      occasion: {
        id: occasion.id,
        externalId: occasion.externalId,
        type: occasionType,
        date,
        nominalDate,
        observedDate,
        years,
        timezone,
        dueAt,
        data,
      },
    },
  };
}

function countsYears(recurrence: string): boolean {
  return recurrence === 'birthday' || recurrence === 'yearly';
}

function yearOf(date: string): number {
  return Number(date.slice(0, 4));
}

import { describe, expect, it } from 'vitest';

import { ADA, claimedAt } from '../../test/support/delivery-values.ts';
import { messageOf } from '../occasion-types/built-in.ts';
import type { ClaimedOccurrence } from '../ledger/types.ts';
import type { RecipientOccasion } from './recipient.ts';
import { type WebhookBody, webhookBody } from './webhook-body.ts';

const DUE = Date.parse('2026-05-20T07:00:00Z');

function bodyOf(claimed: Partial<ClaimedOccurrence>, occasion: Partial<RecipientOccasion> = {}) {
  const row = claimedAt(DUE, claimed);
  return webhookBody({
    claimed: row,
    recipient: {
      ...ADA,
      occasion: { ...ADA.occasion, ...occasion },
      message: messageOf(row.occasionType),
    },
    late: false,
  });
}

describe('the body of the webhook', () => {
  it('says who is due, for which occurrence and when', () => {
    const { userId } = ADA;
    expect(bodyOf({})).toEqual({
      type: 'birthday.due',
      timestamp: '2026-05-20T07:00:00.000Z',
      message: "Hey, Ada Lovelace it's your birthday",
      data: {
        occurrenceKey: `birthday:${userId}:2026`,
        late: false,
        user: { id: userId, externalId: null, firstName: 'Ada', lastName: 'Lovelace' },
        occasion: {
          id: userId,
          externalId: null,
          type: 'birthday',
          date: '1990-05-20',
          nominalDate: '2026-05-20',
          observedDate: null,
          years: 36,
          timezone: 'Europe/Berlin',
          dueAt: '2026-05-20T07:00:00.000Z',
          data: null,
        },
      },
    });
  });

  it('has the same fields for every type', () => {
    const data = { plan: 'gold' };
    const other = bodyOf(
      { occasionType: 'subscription', date: '2026-01-20', recurrence: 'monthly' },
      { type: 'subscription', externalId: 's-1', data },
    );
    const fieldsOf = ({ data: { user, occasion, ...more }, ...rest }: WebhookBody) =>
      [rest, more, user, occasion].map((part) => Object.keys(part));
    expect(fieldsOf(other)).toEqual(fieldsOf(bodyOf({})));
    expect(other).toMatchObject({
      type: 'subscription.due',
      data: { occasion: { externalId: 's-1', years: null, data } },
    });
  });

  it('names the day that the rule names, and the day on which it is kept, if that differs', () => {
    const { data } = bodyOf({
      date: '1992-02-29',
      nominalDate: '2026-02-29',
      keptDate: '2026-02-28',
    });
    expect(data.occasion).toMatchObject({
      nominalDate: '2026-02-29',
      observedDate: '2026-02-28',
      years: 34,
    });
  });

  it('names the day of the occasion, not the day of sending, days before', () => {
    const { message, data } = webhookBody({
      claimed: claimedAt(DUE, { nominalDate: '2026-05-27', keptDate: '2026-05-27' }),
      recipient: { ...ADA, message: ({ date }) => `due on ${date}` },
      late: false,
    });
    expect(message).toBe('due on 2026-05-27');
    expect(data.occasion).toMatchObject({ nominalDate: '2026-05-27', observedDate: null });
  });

  it('counts years only for yearly occasions', () => {
    const yearsOf = (recurrence: string) => bodyOf({ recurrence }).data.occasion.years;
    expect(['birthday', 'yearly', 'monthly', 'once', 'rrule'].map(yearsOf)).toEqual([
      36,
      36,
      null,
      null,
      null,
    ]);
  });

  it('contains nothing about a recipient but the documented fields', () => {
    const recipient = { ...ADA, mother: 'Anne Isabella' };
    const body = webhookBody({ claimed: claimedAt(DUE), recipient, late: false });
    expect(JSON.stringify(body)).not.toContain('Anne');
  });
});

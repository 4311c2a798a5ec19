import { expect, test } from 'vitest';

import { ADA, claimedAt } from '../../test/support/delivery-values.ts';
import { webhookBody } from '../delivery/webhook-body.ts';
import { DueEventSchema } from './webhooks.ts';

test.each([
  { keptDate: '2026-05-20', data: null },
  { keptDate: '2026-05-21', data: { plan: 'gold', seats: [1, { two: 2 }] } },
])('the description has exactly the fields that are sent: $keptDate', (one) => {
  const { keptDate, data } = one;
  const body = webhookBody({
    claimed: claimedAt(0, { keptDate }),
    recipient: { ...ADA, externalId: 'crm-1', occasion: { ...ADA.occasion, data } },
    late: true,
  });
  // Parsing drops what the schema does not know.
  expect(DueEventSchema.parse(body)).toEqual(body);
});

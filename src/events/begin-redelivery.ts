import type { RedeliveryBeginning, RedeliveryRequest } from '../domain/redelivery-messages.ts';
import { type RedeliveryLedger, whyNotRedeliver } from './redelivery.ts';

/**
 * Makes the row this redelivery's, if it may be. Safe to repeat: a redelivery that has had
 * the row, even if it is settled by now, has begun and does not begin again.
 */
export async function beginRedelivery(
  ledger: RedeliveryLedger,
  request: RedeliveryRequest,
  now: number,
): Promise<RedeliveryBeginning> {
  if (await ledger.begin(request, now)) return { kind: 'begun' };
  const { occurrenceKey, redeliveryId, force } = request;
  const found = await ledger.find(occurrenceKey);
  if (found?.redeliveryId === redeliveryId) return { kind: 'begun' };
  const reason = whyNotRedeliver(found, force);
  if (reason !== null) return { kind: 'refused', reason };
  // There is one workflow at a time for an occurrence, so that of the other has ended, by hand.
  const other = found?.state === 'PROCESSING' ? found.redeliveryId : null;
  const adopted = other !== null && (await ledger.adopt(occurrenceKey, other, redeliveryId));
  return { kind: adopted ? 'begun' : 'not_yet' };
}

/** Events without a user: for test events, and for checks of a receiver. */
import { randomUUID } from 'node:crypto';

import { urlSettingOf } from '../platform/settings/destinations.ts';
import { DESTINATION_REFUSED, type Reply } from './outcome.ts';

/** Generates the `webhook-id` of one. */
export function newTestId(): string {
  return `test:${randomUUID()}`;
}

/**
 * The body of one.
 *
 * @param at epoch ms
 * @param data only a large event has any
 */
export function testEvent(at: number, data: object = {}): string {
  return JSON.stringify({
    type: 'webhook.test',
    timestamp: new Date(at).toISOString(),
    message: 'This is a test event from Daybell. It is about no user.',
    data,
  });
}

/** What to check first when an event was not delivered; null if the result explains itself. */
export function hintOf({ status, errorCode }: Reply, destination: string): string | null {
  const urlSetting = urlSettingOf(destination);
  if (status === 401 || status === 403) {
    return `Does the receiver hold one of ${urlSetting.replace('URL', 'SECRETS')}, and do the clocks agree?`;
  }
  if (status !== null && status >= 300 && status <= 399) {
    return `Redirects are not followed: set ${urlSetting} to where it leads.`;
  }
  if (errorCode === DESTINATION_REFUSED) {
    return 'The destination has a private address, which is refused unless WEBHOOK_ALLOW_PRIVATE=true.';
  }
  return null;
}

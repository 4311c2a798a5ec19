import type { Recipient } from './recipient.ts';

type GreetingRecipient = Pick<
  Recipient,
  'userId' | 'externalId' | 'firstName' | 'lastName' | 'timezone'
>;

export interface GreetingInput {
  readonly occasionType: string;
  readonly occurrenceKey: string;
  readonly recipient: GreetingRecipient;
  readonly localDate: string;
  /** Epoch ms. */
  readonly dueAt: number;
  readonly late: boolean;
}

/** The message to a recipient, by occasion type. */
const MESSAGES = new Map([['birthday', birthdayMessage]]);

/**
 * Composes the JSON body of the webhook, the same on every attempt but for `late`.
 *
 * @throws RangeError for an occasion type without a message
 */
export function greetingBody(input: GreetingInput) {
  const { occasionType, recipient, occurrenceKey, localDate, late } = input;
  const message = MESSAGES.get(occasionType);
  if (message === undefined) throw new RangeError(`There is no message for "${occasionType}".`);
  const { userId, externalId, firstName, lastName, timezone } = recipient;
  const dueAt = new Date(input.dueAt).toISOString();
  return {
    type: `${occasionType}.due`,
    // When the event occurred, as Standard Webhooks says: the due instant, not that of sending.
    timestamp: dueAt,
    message: message(recipient),
    data: {
      occurrenceKey,
      userId,
      externalId,
      firstName,
      lastName,
      timezone,
      localDate,
      dueAt,
      late,
    },
  };
}

/** An empty name leaves no space behind. */
function birthdayMessage({ firstName, lastName }: GreetingRecipient): string {
  return ['Hey,', firstName, lastName, "it's your birthday"].filter(Boolean).join(' ');
}

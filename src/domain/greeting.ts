import { BIRTHDAY, type EventType } from './event-type.ts';

/** What a greeting says of its recipient. */
export interface GreetingRecipient {
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  /** May be empty. */
  readonly lastName: string;
  readonly timezone: string;
}

export interface GreetingInput {
  readonly eventType: EventType;
  readonly occurrenceKey: string;
  readonly recipient: GreetingRecipient;
  readonly localDate: string;
  /** Epoch ms. */
  readonly fireAt: number;
  readonly late: boolean;
}

/** The JSON body of the webhook, the same on every attempt but for `late`. */
export interface GreetingBody {
  /** Such as `birthday.due`. */
  readonly type: string;
  /** When the event occurred, as Standard Webhooks has it: the instant it was due, not that of sending. */
  readonly timestamp: string;
  readonly message: string;
  readonly data: {
    readonly occurrenceKey: string;
    readonly userId: string;
    readonly externalId: string | null;
    readonly firstName: string;
    readonly lastName: string;
    readonly timezone: string;
    readonly localDate: string;
    readonly scheduledFor: string;
    readonly late: boolean;
  };
}

/** What is said to a recipient, by event type. */
export type Messages = Readonly<Record<EventType, (recipient: GreetingRecipient) => string>>;

/** By section 4 of the design. */
export function birthdayMessage({ firstName, lastName }: GreetingRecipient): string {
  return sentence('Hey,', firstName, lastName, "it's your birthday");
}

export const MESSAGES: Messages = { [BIRTHDAY]: birthdayMessage };

/** The webhook's body by section 4 of the design. Throws a RangeError for a type without a message. */
export function greetingBody(input: GreetingInput, messages: Messages = MESSAGES): GreetingBody {
  const { eventType, recipient } = input;
  const message = Object.hasOwn(messages, eventType) ? messages[eventType] : undefined;
  if (message === undefined) throw new RangeError(`There is no message for "${eventType}".`);
  const due = new Date(input.fireAt).toISOString();
  return {
    type: `${eventType}.due`,
    timestamp: due,
    message: message(recipient),
    data: {
      occurrenceKey: input.occurrenceKey,
      userId: recipient.userId,
      externalId: recipient.externalId,
      firstName: recipient.firstName,
      lastName: recipient.lastName,
      timezone: recipient.timezone,
      localDate: input.localDate,
      scheduledFor: due,
      late: input.late,
    },
  };
}

/** One space between the words; a name that is empty leaves none behind. */
function sentence(...words: readonly string[]): string {
  return words.filter((word) => word !== '').join(' ');
}

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
  readonly occasionType: string;
  readonly occurrenceKey: string;
  readonly recipient: GreetingRecipient;
  readonly localDate: string;
  /** Epoch ms. */
  readonly dueAt: number;
  readonly late: boolean;
}

/** The JSON body of the webhook, the same on every attempt but for `late`. */
export interface GreetingBody {
  /** Such as `birthday.due`. */
  readonly type: string;
  /** When the event occurred, as Standard Webhooks has it: the due instant, not that of sending. */
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
    readonly dueAt: string;
    readonly late: boolean;
  };
}

/** The message to a recipient, by occasion type. */
export type Messages = Readonly<Record<string, (recipient: GreetingRecipient) => string>>;

export function birthdayMessage({ firstName, lastName }: GreetingRecipient): string {
  return sentence('Hey,', firstName, lastName, "it's your birthday");
}

export const MESSAGES: Messages = { birthday: birthdayMessage };

/** Composes the webhook's body. Throws a RangeError for a type without a message. */
export function greetingBody(input: GreetingInput, messages: Messages = MESSAGES): GreetingBody {
  const { occasionType, recipient } = input;
  const message = Object.hasOwn(messages, occasionType) ? messages[occasionType] : undefined;
  if (message === undefined) throw new RangeError(`There is no message for "${occasionType}".`);
  const due = new Date(input.dueAt).toISOString();
  return {
    type: `${occasionType}.due`,
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
      dueAt: due,
      late: input.late,
    },
  };
}

/** Joins the words by one space; an empty name leaves none behind. */
function sentence(...words: readonly string[]): string {
  return words.filter((word) => word !== '').join(' ');
}

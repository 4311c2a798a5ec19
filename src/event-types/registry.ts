import { isEventTypeName, type EventType } from '../domain/event-type.ts';
import type { GreetingRecipient, Messages } from '../domain/greeting.ts';
import type { FactsSource, FactsSources } from '../persistence/facts-source.ts';

/** All that Daybell has to be told of an event type, besides its workflow, which bears its name. */
export interface EventTypeDefinition {
  /** In keys, workflow ids and webhooks (`<name>.due`): lower-case letters, and never changed. */
  readonly name: EventType;
  /** Where its dates are. */
  readonly facts: FactsSource;
  /** What the webhook says to its recipient. */
  readonly message: (recipient: GreetingRecipient) => string;
}

/** Event types as the parts of Daybell take them. */
export interface EventTypes {
  readonly names: readonly EventType[];
  readonly facts: FactsSources;
  readonly messages: Messages;
}

/** Throws a RangeError for a name that is not one, or is there twice. */
export function registerEventTypes(definitions: readonly EventTypeDefinition[]): EventTypes {
  const names = definitions.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (!isEventTypeName(name)) {
      throw new RangeError(
        `"${name}" is not a name of an event type: 1 to 40 of the letters a to z.`,
      );
    }
    if (names.indexOf(name) < index) throw new RangeError(`There are two event types "${name}".`);
  }
  return {
    names,
    facts: Object.fromEntries(definitions.map(({ name, facts }) => [name, facts])),
    messages: Object.fromEntries(definitions.map(({ name, message }) => [name, message])),
  };
}

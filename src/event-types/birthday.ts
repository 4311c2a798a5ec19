import { BIRTHDAY } from '../domain/event-type.ts';
import { birthdayMessage } from '../domain/greeting.ts';
import { BIRTHDAY_FACTS } from '../persistence/facts-source.ts';
import type { EventTypeDefinition } from './registry.ts';

/** What everybody has. Its workflow is `src/workflows/birthday.ts`. */
export const birthday: EventTypeDefinition = {
  name: BIRTHDAY,
  facts: BIRTHDAY_FACTS,
  message: birthdayMessage,
};

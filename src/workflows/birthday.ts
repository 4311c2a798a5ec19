import { BIRTHDAY } from '../domain/event-type.ts';
import type { YearlyEventInput } from './messages.ts';
import { yearlyEvent } from './yearly-event.ts';

/** Greets one user on every birthday; its id is `birthday/<userId>`. */
export async function birthday(input: YearlyEventInput): Promise<void> {
  await yearlyEvent(BIRTHDAY, input);
}

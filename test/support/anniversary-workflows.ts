/** Daybell's workflows and one more, as an installation with a second event type has them. */
import type { YearlyEventInput } from '../../src/workflows/messages.ts';
import { yearlyEvent } from '../../src/workflows/yearly-event.ts';

export * from '../../src/workflows/index.ts';

export async function anniversary(input: YearlyEventInput): Promise<void> {
  await yearlyEvent('anniversary', input);
}

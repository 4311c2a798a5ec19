/** What changed of a person's dates and zones, and what each change moved. */
import { html } from 'hono/html';

import type { User, UserHistory } from './api-types.ts';
import type { Html } from './layout.ts';
import { table } from './markup.ts';
import { time } from './words.ts';

type Change = UserHistory['changes'][number];
type Inputs = NonNullable<Change['after']>;

export function historySection({ changes, isComplete }: UserHistory, { timezone }: User): Html {
  return html`<section>
    <h2>Changes of dates and zones</h2>
    ${table({
      label: 'Changes of dates and zones',
      caption: html`${isComplete ? 'All' : `The latest ${changes.length}`}, the latest first, by the
      settings of now. Times are in UTC; the person is in ${timezone} now.`,
      columns: ['When (UTC)', 'Occasion', 'Change', 'Moved'],
      rows: changes.map((change) => [
        time(change.at),
        change.occasionType,
        changeWords(change),
        movedWords(change),
      ]),
    })}
  </section>`;
}

const NAMES = {
  date: 'date',
  recurrence: 'recurrence',
  rrule: 'rule',
  offsetDays: 'days of notice',
  timezone: 'time zone',
  deliveryTime: 'delivery time',
  suspended: 'suspended',
} as const satisfies Partial<Record<keyof Inputs, string>>;

function changeWords({ before, after }: Change): string {
  if (after === null) return 'ended';
  if (before === null) return `began: ${after.date}, ${after.timezone}`;
  const fields = Object.keys(NAMES) as (keyof typeof NAMES)[];
  return fields
    .filter((field) => before[field] !== after[field])
    .map((field) => `${NAMES[field]} ${valueWords(before[field])} → ${valueWords(after[field])}`)
    .join('; ');
}

function valueWords(value: string | number | boolean | null): string {
  if (value === null) return 'none';
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}

function movedWords({ at, before, after }: Change): Html | string {
  const next = after?.next ?? null;
  const was = before?.next ?? null;
  if (next === null) return was === null ? '' : html`${was.nominalDate} is not sent`;
  if (was === null) return html`next is ${next.nominalDate}, due ${time(next.dueAt)}`;
  if (was.dueAt === next.dueAt) return 'nothing';
  const atOnce = next.dueAt <= at ? ', which had passed: due at once' : '';
  return was.nominalDate === next.nominalDate
    ? html`${was.nominalDate} from ${time(was.dueAt)} to ${time(next.dueAt)}${atOnce}`
    : html`from ${was.nominalDate}, ${time(was.dueAt)}, to ${next.nominalDate}, ${time(next.dueAt)}`;
}

/** The occasions of a person, each with its next occurrence and the reason for its date. */
import { html } from 'hono/html';

import { path } from '../api-client.ts';
import type { Occasion, OccurrenceRecord, User } from '../api-types.ts';
import type { PageDeps, Visitor } from '../env.ts';
import type { Html } from '../layout.ts';
import { table } from '../markup.ts';
import { state, time } from '../words.ts';

interface Section extends Pick<PageDeps, 'temporalUi'> {
  readonly visitor: Visitor;
  readonly user: User;
  readonly occasions: readonly Occasion[];
  /** Those on the page; null if the visitor may not see them. */
  readonly occurrences: readonly OccurrenceRecord[] | null;
  /** The path of the person's page. */
  readonly own: string;
}

export function occasionsSection(section: Section): Html {
  const { visitor, user, occasions, own } = section;
  const mayChange = visitor.may('users:write');
  const birthday = {
    id: user.id,
    type: 'birthday',
    status: user.suspended ? 'suspended' : 'active',
    suspendedReason: user.suspendedReason,
  } as const;
  return html`<section>
    <h2>Occasions</h2>
    ${table({
      label: 'Occasions',
      caption: 'All that have a date, with the next occurrence and the reason for its date',
      columns: ['Type', 'Date', 'State', 'Next', 'Workflow in Temporal'],
      rows: [
        row('birthday', user.dateOfBirth, birthday, section),
        ...occasions.map((one) => {
          const name = mayChange
            ? html`<a href="${own}${path`/occasions/${one.id}`}">${nameOf(one)}</a>`
            : nameOf(one);
          return row(name, datesOf(one), one, section);
        }),
      ],
    })}
    ${mayChange ? html`<p><a class="button" href="${own}/occasions/new">Add an occasion</a></p>` : ''}
  </section>`;
}

type Dated = Pick<Occasion, 'id' | 'type' | 'status' | 'suspendedReason'>;

function row(
  name: Html | string,
  dates: string,
  one: Dated,
  { occurrences, temporalUi }: Section,
): (Html | string)[] {
  return [
    name,
    dates,
    html`${state(one.status)} ${one.suspendedReason ?? ''}`,
    nextWords(one, occurrences),
    workflowLink(one, temporalUi),
  ];
}

function workflowLink({ type, id }: Dated, temporalUi: string | null): Html {
  if (temporalUi === null) return html`<span class="muted">set TEMPORAL_UI_URL</span>`;
  const workflow = `${type}/${id}`;
  return html`<a href="${temporalUi}${encodeURIComponent(workflow)}">${workflow}</a>`;
}

const nameOf = ({ type, externalId }: Occasion): string =>
  externalId === null ? type : `${type} ${externalId}`;

function datesOf({ date, recurrence, rrule, offsetDays, timezone }: Occasion): string {
  const parts = [date ?? 'of birth', rrule ?? recurrence ?? ''];
  if (offsetDays > 0) parts.push(`${offsetDays} days before`);
  if (timezone !== null) parts.push(timezone);
  return parts.join(', ');
}

/** From the open row of the occasion, which is among the latest due. */
function nextWords(
  { id, type, status }: Dated,
  occurrences: readonly OccurrenceRecord[] | null,
): Html | string {
  if (occurrences === null) return '';
  const open = occurrences.find(
    (row) =>
      row.occasionType === type &&
      row.occasionId === id &&
      row.redeliveries === 0 &&
      (row.status === 'PENDING' || row.status === 'PROCESSING'),
  );
  if (open === undefined) {
    if (status === 'ended') return 'no further occurrence';
    return status === 'suspended'
      ? 'nothing while it is suspended'
      : 'not on this page, or its plan is being made';
  }
  if (open.dueAt === null) return `cannot be planned: ${open.blockedReason}`;
  return html`${time(open.dueAt)}<br />${open.explanation ?? `${open.localDate}, ${open.localTime}`}
    ${open.replanning ? html`<br /><span class="state warn">its new plan is being made</span>` : ''}`;
}

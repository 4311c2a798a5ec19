/** The user each listed occurrence belongs to, as far as the visitor may see it. */
import { html } from 'hono/html';

import { HOME } from '../access.ts';
import type { Column } from '../csv.ts';
import type { Visitor } from '../env.ts';
import type { Html } from '../layout.ts';

/** What lists of the API have for each occurrence; the user only with `include=user`. */
export interface ListedOccurrence {
  readonly key: string;
  readonly occasionType: string;
  readonly userId: string;
  readonly nominalDate: string;
  readonly timezone: string;
  readonly dueAt: string | null;
  readonly user?: {
    readonly externalId: string | null;
    readonly firstName: string;
    readonly lastName: string;
  } | null;
}

/** For a deleted user, the id. */
function nameOf({ user, userId }: ListedOccurrence): string {
  return user ? `${user.firstName} ${user.lastName}`.trim() : userId;
}

/** Only for what is in the ledger: a computed occurrence has no page. */
export function occurrenceLink(key: string): Html {
  return html`<a href="${HOME}/occurrences/${encodeURIComponent(key)}"><code>${key}</code></a>`;
}

/** Only the id for visitors who may not see the page of a person. */
export function person(item: ListedOccurrence, { may }: Visitor): Html | string {
  const { userId } = item;
  if (!may('users:read')) return userId;
  return html`<a href="${HOME}/people/${encodeURIComponent(userId)}">${nameOf(item)}</a>`;
}

/** For a download. */
export function personColumns<Item extends ListedOccurrence>(visitor: Visitor): Column<Item>[] {
  const id: Column<Item> = ['userId', ({ userId }) => userId];
  if (!visitor.may('users:read')) return [id];
  return [
    id,
    ['externalId', ({ user }) => user?.externalId ?? null],
    ['firstName', ({ user }) => user?.firstName ?? null],
    ['lastName', ({ user }) => user?.lastName ?? null],
  ];
}

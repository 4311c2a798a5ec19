/** The users and occasions behind ids, for lists of occurrences. */
import type { Orm } from '../platform/database/orm.ts';
import { queryOf } from './sql.ts';

export interface Person {
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
}

/** The ids of an occurrence's user and occasion; for a birthday, both are the user's. */
export interface Belonging {
  readonly userId: string;
  readonly occasionId: string;
}

/** Null for a user, or an occasion, that is deleted. */
export interface BelongsTo {
  readonly user: Person | null;
  readonly occasionExternalId: string | null;
}

export type FindPeople = ReturnType<typeof createFindPeople>;

/** Finds the users of a page of occurrences, as they are now, in two look-ups by id. */
export function createFindPeople(orm: Orm) {
  const query = queryOf(orm);

  return async <Item extends Belonging>(items: readonly Item[]): Promise<(Item & BelongsTo)[]> => {
    if (items.length === 0) return [];
    const [users, occasions] = await Promise.all([
      query<Person & { id: string }>(USERS, {
        ids: JSON.stringify(items.map(({ userId }) => userId)),
      }),
      query<{ id: string; externalId: string }>(OCCASIONS, {
        ids: JSON.stringify(items.map(({ occasionId }) => occasionId)),
      }),
    ]);
    const people = new Map(users.map(({ id, ...person }) => [id, person]));
    const externalIds = new Map(occasions.map(({ id, externalId }) => [id, externalId]));
    return items.map((item) =>
      Object.assign({}, item, {
        user: people.get(item.userId) ?? null,
        occasionExternalId: externalIds.get(item.occasionId) ?? null,
      }),
    );
  };
}

/** An array, so that an index is searched, however large the table is. */
const GIVEN = `any (array(select distinct value::uuid from jsonb_array_elements_text(:ids::jsonb)))`;

const USERS = `
  select id, external_id as "externalId", first_name as "firstName", last_name as "lastName"
  from users.users where id = ${GIVEN}`;

const OCCASIONS = `
  select id, external_id as "externalId" from users.occasions
  where id = ${GIVEN} and external_id is not null`;

import { BIRTHDAY, type EventType } from '../domain/event-type.ts';

/**
 * Where the dates of an event type are: relations of this database, which may be anybody's
 * tables. Written as SQL selects without parameters.
 */
export interface FactsSource {
  /**
   * A row for each user who has such an event: `user_id`, `anchor_date` (the date that
   * recurs), `timezone`, `created_at` (since when the event is known) and `changed_at` (when
   * date or zone last changed). Its rows are locked: so no aggregates and no outer joins, and
   * the user's row is one of them.
   */
  readonly facts: string;
  /**
   * What was true when: `user_id`, `position` (in the order of time), `anchor_date`, `timezone`,
   * `valid_from`, and `valid_until`, null of the present. Null when only the present is known:
   * then a user who changes twice while planning is away is planned by the last change alone.
   */
  readonly history: string | null;
}

export type FactsSources = Readonly<Record<EventType, FactsSource>>;

/** Birthdays are in the User Context: everybody has one. */
export const BIRTHDAY_FACTS: FactsSource = {
  facts: `
    select id as user_id, date_of_birth as anchor_date, timezone, created_at,
      facts_changed_at as changed_at
    from users.users`,
  history: `
    select user_id, id as position, date_of_birth as anchor_date, timezone, valid_from, valid_until
    from users.history`,
};

export const BIRTHDAYS: FactsSources = { [BIRTHDAY]: BIRTHDAY_FACTS };

/** The source of an event type. Throws for one that was not registered. */
export function sourceOf(sources: FactsSources, eventType: EventType): FactsSource {
  const source = Object.hasOwn(sources, eventType) ? sources[eventType] : undefined;
  if (source === undefined) throw new RangeError(`There is no event type "${eventType}" here.`);
  return source;
}

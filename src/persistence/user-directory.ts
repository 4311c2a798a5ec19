import type { EventType } from '../domain/event-type.ts';
import type { Recipient, UserDirectory } from '../events/ports.ts';
import { BIRTHDAYS, type FactsSources } from './facts-source.ts';
import type { Orm } from './orm.ts';

/**
 * The window onto the User Context: what is true of users at this moment, in one query for
 * each event type among them.
 */
export function createUserDirectory(orm: Orm, sources: FactsSources = BIRTHDAYS): UserDirectory {
  const findOfType = async (eventType: EventType, userIds: readonly string[]) => {
    const source = Object.hasOwn(sources, eventType) ? sources[eventType] : undefined;
    const sql = source === undefined ? FIND_NAMES : findRecipients(source.facts);
    const rows = await orm.em.fork().execute<RecipientRow[]>(sql, [JSON.stringify(userIds)]);
    return new Map(rows.map((row) => [row.userId, toRecipient(row, source !== undefined)]));
  };

  return {
    async findRecipients(occurrences) {
      const found = new Map<string, Recipient>();
      for (const [eventType, ofType] of Map.groupBy(occurrences, (one) => one.eventType)) {
        const userIds = new Set(ofType.map(({ userId }) => userId));
        const recipients = await findOfType(eventType, [...userIds]);
        for (const { key, userId } of ofType) {
          const recipient = recipients.get(userId);
          if (recipient !== undefined) found.set(key, recipient);
        }
      }
      return found;
    },
  };
}

interface RecipientRow {
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly timezone: string;
  /** Null, both, when there is no such event. */
  readonly anchorDate?: string | null;
  readonly factsTimezone?: string | null;
}

function toRecipient(row: RecipientRow, isKnownType: boolean): Recipient {
  const { anchorDate = null, factsTimezone = null, ...names } = row;
  if (!isKnownType) return { ...names, facts: 'unknown' };
  if (anchorDate === null || factsTimezone === null) return { ...names, facts: 'none' };
  return { ...names, facts: { anchorDate, timezone: factsTimezone } };
}

const NAMES = `u.id as "userId", u.external_id as "externalId", u.first_name as "firstName",
  u.last_name as "lastName", u.timezone`;

const GIVEN = 'u.id in (select value::uuid from jsonb_array_elements_text(?::jsonb))';

const FIND_NAMES = `select ${NAMES} from users.users as u where ${GIVEN}`;

const findRecipients = (facts: string): string => `
  select ${NAMES}, facts.anchor_date::text as "anchorDate", facts.timezone as "factsTimezone"
  from users.users as u left join (${facts}) as facts on facts.user_id = u.id
  where ${GIVEN}`;

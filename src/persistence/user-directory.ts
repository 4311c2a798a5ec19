import type { Recipient, UserDirectory } from '../events/ports.ts';
import type { Orm } from './orm.ts';

/** The window onto the User Context: what is true of users at this moment, in one query. */
export function createUserDirectory(orm: Orm): UserDirectory {
  return {
    async findRecipients(userIds) {
      const rows = await orm.em
        .fork()
        .execute<Recipient[]>(FIND_RECIPIENTS, [JSON.stringify(userIds)]);
      return new Map(rows.map((recipient) => [recipient.userId, recipient]));
    },
  };
}

const FIND_RECIPIENTS = `
  select id as "userId", external_id as "externalId", first_name as "firstName",
    last_name as "lastName", date_of_birth::text as "dateOfBirth", timezone
  from users.users
  where id in (select value::uuid from jsonb_array_elements_text(?::jsonb))`;

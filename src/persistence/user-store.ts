import { LockMode, UniqueConstraintViolationException } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { validate as isUuid } from 'uuid';

import { ExternalIdTakenError } from '../users/errors.ts';
import type { User, UserStore, UserTransaction } from '../users/ports.ts';
import { HistoryRow, UserRow } from './entities.ts';
import { claimKey, forgetAnswers } from './idempotency-keys.ts';
import type { Orm } from './orm.ts';

/**
 * The system of record in PostgreSQL: a forked entity manager for each unit of work.
 *
 * @param traceparent of the span that the caller runs in, which goes with the events
 */
export function createUserStore(
  orm: Orm,
  traceparent: () => string | null = () => null,
): UserStore {
  return {
    async find(id) {
      if (!isUuid(id)) return null;
      return toUser(await orm.em.fork().findOne(UserRow, { id }));
    },

    async list({ after, limit, externalId, timezone }) {
      const rows = await orm.em.fork().find(
        UserRow,
        {
          ...(after !== null && { id: { $gt: after } }),
          ...(externalId !== null && { externalId }),
          ...(timezone !== null && { timezone }),
        },
        { orderBy: { id: 'asc' }, limit },
      );
      return rows.map(copyUser);
    },

    transaction: (work) =>
      orm.em.fork().transactional((em) => work(userTransaction(em, traceparent))),
  };
}

function userTransaction(em: SqlEntityManager, traceparent: () => string | null): UserTransaction {
  return {
    async lock(id) {
      if (!isUuid(id)) return null;
      return toUser(await em.findOne(UserRow, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE }));
    },
    insert: (user) => refusingTakenExternalId(() => em.insert(UserRow, user)),
    update: ({ id, ...fields }) =>
      refusingTakenExternalId(() => em.nativeUpdate(UserRow, { id }, fields)),
    async delete(id) {
      await em.nativeDelete(UserRow, { id });
    },
    async openHistory({ id, dateOfBirth, timezone }, from) {
      await em.insert(HistoryRow, { userId: id, dateOfBirth, timezone, validFrom: from });
    },
    async closeHistory(userId, until) {
      await em.nativeUpdate(HistoryRow, { userId, validUntil: null }, { validUntil: until });
    },
    async publish(event) {
      const { type, userId, revision, occurredAt } = event;
      const changed = event.type === 'UserUpdated' ? event.changed : [];
      const about = [type, userId, revision, JSON.stringify(changed), occurredAt, traceparent()];
      await em.execute(PUBLISH, about);
    },
    claimKey: (answer, createdAt) => claimKey(em, answer, createdAt),
    forgetAnswers: (userId) => forgetAnswers(em, userId),
  };
}

/** An entry for each subscriber: each goes its own way, at its own pace. */
const PUBLISH = `
  insert into users.outbox
    (subscriber, type, user_id, revision, changed, occurred_at, traceparent)
  select name, ?, ?::uuid, ?::integer, array(select jsonb_array_elements_text(?::jsonb)),
    to_timestamp(?::float8 / 1000), ?::text
  from users.subscribers`;

async function refusingTakenExternalId(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (
      error instanceof UniqueConstraintViolationException &&
      'constraint' in error &&
      error.constraint === 'users_external_id_key'
    ) {
      throw new ExternalIdTakenError();
    }
    throw error;
  }
}

function toUser(row: UserRow | null): User | null {
  return row === null ? null : copyUser(row);
}

/** A plain object: an entity would drag its manager along. */
function copyUser(row: UserRow): User {
  return {
    id: row.id,
    externalId: row.externalId ?? null,
    firstName: row.firstName,
    lastName: row.lastName,
    dateOfBirth: row.dateOfBirth,
    timezone: row.timezone,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    factsChangedAt: row.factsChangedAt,
    revision: row.revision,
  };
}

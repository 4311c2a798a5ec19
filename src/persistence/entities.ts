/**
 * The User Context's tables as MikroORM sees them. The migrations are the truth: no
 * schema is ever made from these.
 */
import { defineEntity, type InferEntity, p, Type } from '@mikro-orm/core';

/** A `timestamptz` as epoch ms, the one form of an instant inside Daybell. */
class EpochMs extends Type<number | null, string | null> {
  override convertToDatabaseValue(epochMs: number | null): string | null {
    return epochMs === null ? null : new Date(epochMs).toISOString();
  }

  override convertToJSValue(text: string | null): number | null {
    return text === null ? null : new Date(text).getTime();
  }

  override getColumnType(): string {
    return 'timestamptz';
  }
}

const epochMs = () => p.type(EpochMs).$type<number>();

export const UserRow = defineEntity({
  name: 'UserRow',
  schema: 'users',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    externalId: p.text().nullable().unique(),
    firstName: p.text(),
    lastName: p.text(),
    dateOfBirth: p.date(),
    timezone: p.text(),
    revision: p.integer(),
    createdAt: epochMs(),
    updatedAt: epochMs(),
    factsChangedAt: epochMs(),
  },
});
export type UserRow = InferEntity<typeof UserRow>;

/** Who had which date of birth and zone from when until when; no names. */
export const HistoryRow = defineEntity({
  name: 'HistoryRow',
  schema: 'users',
  tableName: 'history',
  properties: {
    id: p.bigint().primary(),
    userId: p.uuid(),
    dateOfBirth: p.date(),
    timezone: p.text(),
    validFrom: epochMs(),
    validUntil: epochMs().nullable(),
  },
});

/** Every entity, by name: nothing is discovered from the file system. */
export const entities = [UserRow, HistoryRow];

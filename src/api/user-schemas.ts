import { z } from '@hono/zod-openapi';

import type { User } from '../users/user.ts';

/** A user as the API shows it. */
export const UserSchema = z
  .object({
    id: z.uuid(),
    externalId: z.string().nullable(),
    firstName: z.string(),
    lastName: z.string(),
    dateOfBirth: z.iso.date(),
    timezone: z.string().openapi({ example: 'Europe/Berlin' }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    revision: z.int().openapi({ description: '1 at first, and one more with each change' }),
  })
  .openapi('User');

export type UserBody = z.output<typeof UserSchema>;

/** Maps a user to what the API shows of it. */
export function userBody(user: User): UserBody {
  return {
    id: user.id,
    externalId: user.externalId,
    firstName: user.firstName,
    lastName: user.lastName,
    dateOfBirth: user.dateOfBirth,
    timezone: user.timezone,
    createdAt: new Date(user.createdAt).toISOString(),
    updatedAt: new Date(user.updatedAt).toISOString(),
    revision: user.revision,
  };
}

export const userContent = { 'application/json': { schema: UserSchema } };

/** The id in a path. Any text is allowed: one that is no id is the id of nobody. */
export const userIdParam = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, format: 'uuid' }),
});

/** The query of a route that takes none, so that a misspelt parameter is not ignored. */
export const noQuery = z.strictObject({});

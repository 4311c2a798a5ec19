import { z } from '@hono/zod-openapi';

import type { User } from '../users/user.ts';
import type { AcceptedRevisions } from '../users/users.ts';
import { toBody } from './schemas.ts';

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
    revision: z.int().describe('1 at first, and one more with each change'),
  })
  .openapi('User');

export const userBody = (user: User) => toBody(UserSchema, user);

/** Any text is allowed: one that is no UUID is nobody's id, and answered with 404. */
export const userIdParam = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, format: 'uuid' }),
});

export const etagHeader = {
  ETag: {
    schema: { type: 'string' as const },
    description: 'Changes with every change of the user',
  },
};

/** Ids are never reused, so the revision is enough. */
export function etagOf({ revision }: User): string {
  return `"${revision}"`;
}

const ENTITY_TAGS = /^\s*(?:\*|(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*)\s*$/;

export const ifMatchHeader = z.object({
  'If-Match': z
    .string()
    .regex(ENTITY_TAGS, 'must be "*" or entity tags in quotes, such as "3"')
    .optional()
    .openapi({
      description: 'Make the change only if this is the current ETag of the user; otherwise 412',
      example: '"3"',
    }),
});

/** Weak tags, and tags that were never ours, match nothing (RFC 9110, 13.1.1). */
export function acceptedRevisions(ifMatch: string | undefined): AcceptedRevisions {
  if (ifMatch === undefined || ifMatch.trim() === '*') return null;
  return ifMatch.split(',').flatMap((tag) => {
    const revision = /^\s*"([1-9]\d{0,8})"\s*$/.exec(tag)?.[1];
    return revision === undefined ? [] : [Number(revision)];
  });
}

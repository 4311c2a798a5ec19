import { z } from '@hono/zod-openapi';

import type { AcceptedRevisions } from '../users/change-user.ts';
import type { User } from '../users/user.ts';

/** The entity tag of a user: ids are never reused, so the revision says it all. */
export function etagOf(user: Pick<User, 'revision'>): string {
  return `"${user.revision}"`;
}

/**
 * The revisions that an `If-Match` accepts; null for any. A weak tag matches nothing
 * (RFC 9110, 13.1.1), and neither does a tag that was never ours.
 */
export function acceptedRevisions(ifMatch: string | undefined): AcceptedRevisions {
  if (ifMatch === undefined || ifMatch.trim() === '*') return null;
  return ifMatch.split(',').flatMap((tag) => {
    const revision = /^\s*"([1-9]\d{0,8})"\s*$/.exec(tag)?.[1];
    return revision === undefined ? [] : [Number(revision)];
  });
}

const ENTITY_TAGS = /^\s*(?:\*|(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*)\s*$/;

/** The header of a conditional change. */
export const ifMatchHeader = z.object({
  'If-Match': z
    .string()
    .regex(ENTITY_TAGS, 'must be "*" or entity tags in quotes, such as "3"')
    .optional()
    .openapi({
      description: 'Change the user only if this is still its ETag; else 412',
      example: '"3"',
    }),
});

export const etagHeader = {
  ETag: {
    schema: { type: 'string' as const },
    description: 'Changes with every change of the user',
  },
};

/** How paths name users and occasions: by our ids, or by the caller's own. */
import { z } from '@hono/zod-openapi';

import { InvalidInputError } from '../users/errors.ts';
import { typeField } from '../users/occasion.ts';
import type { OccasionRef } from '../users/occasion-rows.ts';
import { externalIdField } from '../users/user.ts';
import type { UserRef } from '../users/user-rows.ts';

/** Any text is allowed: one that is not a UUID matches nothing, and is answered with 404. */
const id = (name: string) => z.string().openapi({ param: { name, in: 'path' }, format: 'uuid' });

const externalId = (name: string) =>
  externalIdField('Your own id, percent-encoded', 'crm-4711').openapi({
    param: { name, in: 'path' },
  });

const occasionIds = {
  type: typeField().openapi({ param: { name: 'type', in: 'path' } }),
  occasionExternalId: externalId('occasionExternalId'),
};

/** `by` is the end of an operation's id. */
export const USER_BY_ID = {
  by: '',
  path: '/v1/users/{id}',
  params: z.object({ id: id('id') }).transform((param) => ({ user: param.id as UserRef })),
} as const;

export const USER_BY_EXTERNAL_ID = {
  by: 'ByExternalId',
  path: '/v1/users/external/{externalId}',
  params: z
    .object({ externalId: externalId('externalId') })
    .transform(({ externalId }) => ({ user: { externalId } })),
} as const;

export const OCCASION_BY_ID = {
  by: '',
  path: `${USER_BY_ID.path}/occasions/{occasionId}`,
  params: z.object({ id: id('id'), occasionId: id('occasionId') }).transform((param) => ({
    user: param.id as UserRef,
    occasion: param.occasionId as OccasionRef,
  })),
} as const;

export const OCCASION_BY_EXTERNAL_ID = {
  by: 'ByExternalId',
  path: `${USER_BY_ID.path}/occasions/{type}/{occasionExternalId}`,
  params: z.object({ id: id('id'), ...occasionIds }).transform((param) => ({
    user: param.id as UserRef,
    occasion: { type: param.type, externalId: param.occasionExternalId },
  })),
} as const;

export const OCCASION_BY_EXTERNAL_IDS = {
  by: 'ByExternalIds',
  path: `${USER_BY_EXTERNAL_ID.path}/occasions/{type}/{occasionExternalId}`,
  params: z.object({ externalId: externalId('externalId'), ...occasionIds }).transform((param) => ({
    user: { externalId: param.externalId } as UserRef,
    occasion: { type: param.type, externalId: param.occasionExternalId },
  })),
} as const;

/**
 * A body may repeat what the path says.
 *
 * @throws InvalidInputError if it says something else
 */
export function refuseOther(field: string, given: string | null | undefined, ofPath: string): void {
  if (given === null || given === undefined || given === ofPath) return;
  throw new InvalidInputError([
    { field, rule: 'must equal the value in the path, or be left out' },
  ]);
}

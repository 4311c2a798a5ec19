import { z } from '@hono/zod-openapi';

/** More would make a slow answer of a list; who wants all follows the cursor. */
const LIMIT_MAX = 200;

/** A query parameter `limit`, 1 to 200. */
export function limitParam(preset: number) {
  const rule = `must be a whole number from 1 to ${LIMIT_MAX}`;
  return z
    .string({ error: rule })
    .regex(/^\d{1,3}$/, rule)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= LIMIT_MAX, rule)
    .default(preset)
    .openapi({ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: preset });
}

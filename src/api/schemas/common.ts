/** Parts that the descriptions of several routes share. */
import { z } from '@hono/zod-openapi';

import type { AuditListPlace } from '../../audit/audit-list.ts';
import type { ForecastListPlace } from '../../forecast/forecast-list.ts';
import { isOccurrenceKey } from '../../ledger/occurrence-key.ts';
import type { OccurrencePlace } from '../../ledger/occurrence-filter.ts';
import { DEFAULT_DESTINATION } from '../../platform/destination.ts';
import { instantFault, isoInstant } from '../../time/instant.ts';
import { ruled } from '../../users/user.ts';
import type { UserPlace } from '../../users/user-list.ts';

export function json<Schema extends z.ZodType>(schema: Schema) {
  return { 'application/json': { schema } };
}

export function requiredBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true as const, content: json(schema) };
}

/** The query of a route without parameters, so that a misspelt one is not ignored. */
export const noQuery = z.strictObject({});

/** A parameter that is true or false. */
export function flag(description: string) {
  return z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .optional()
    .openapi({ type: 'boolean', description });
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 200;
const LIMIT_RULE = `must be a whole number from 1 to ${LIMIT_MAX}`;

export const limitParam = z
  .string({ error: LIMIT_RULE })
  .regex(/^\d{1,3}$/, LIMIT_RULE)
  .transform(Number)
  .refine((limit) => limit >= 1 && limit <= LIMIT_MAX, LIMIT_RULE)
  .default(LIMIT_DEFAULT)
  .openapi({ type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT });

/** The parameters of a list that is read in pages. */
export function pageParams<Place>({ decode }: Cursor<Place>) {
  return {
    limit: limitParam,
    cursor: z
      .string('must be a string')
      .transform((text, context) => {
        const place = decode(text);
        if (place !== null) return place;
        context.addIssue({ code: 'custom', message: 'must be a nextCursor' });
        return z.NEVER;
      })
      .optional()
      .describe('The `nextCursor` of the previous page, with the same filter'),
  };
}

type Cursor<Place> = ReturnType<typeof cursorOf<Place>>;

/** Places in pages as opaque cursors, which callers only pass back: JSON in base64url. */
function cursorOf<Place>(schema: z.ZodType<Place>) {
  return {
    encode: (place: Place) => Buffer.from(JSON.stringify(place)).toString('base64url'),
    /** Null if the text is not one of our cursors. */
    decode(cursor: string): Place | null {
      try {
        return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
      } catch {
        return null;
      }
    },
  };
}

export const userCursor = cursorOf<UserPlace>(
  z.strictObject({ position: z.string().regex(/^\d{1,19}$/), id: z.uuid() }),
);

export const occasionCursor = cursorOf<string>(z.uuid());

export const occurrenceCursor = cursorOf<OccurrencePlace>(
  z.strictObject({
    // Wider than any occasion, and within the instants that PostgreSQL can store.
    dueAt: z
      .int()
      .min(Date.UTC(1583, 0, 1))
      .max(Date.UTC(9999, 11, 31))
      .nullable(),
    key: z.string().refine(isOccurrenceKey),
  }),
);

export const auditCursor = cursorOf<AuditListPlace>(
  z.strictObject({
    after: z
      .strictObject({
        walk: z.enum(['candidates', 'others']),
        userId: z.uuid(),
        id: z.uuid(),
      })
      .nullable(),
    listed: z.int().min(0),
  }),
);

export const forecastCursor = cursorOf<ForecastListPlace>(
  z.strictObject({
    planned: z
      .strictObject({
        dueAt: z.number().min(-1e14).max(1e15),
        key: z.string().refine(isOccurrenceKey),
      })
      .nullable(),
    computed: z.strictObject({ userId: z.uuid(), id: z.uuid() }).nullable(),
    listed: z.int().min(0),
  }),
);

export const operatorLogCursor = cursorOf<string>(z.string().regex(/^\d{1,18}$/));

export const nextCursor = z.string().nullable().describe('Null on the last page');

/** Epoch ms once it is parsed. */
export function instantParam(description: string) {
  return ruled(instantFault)
    .transform((instant) => Date.parse(instant))
    .optional()
    .openapi({ description, format: 'date-time' });
}

/** As settings have it, in lower case and with hyphens. */
export const destinationName = z
  .string('must be a string')
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be the name of a destination, such as default');

export const destinationParam = destinationName
  .optional()
  .openapi({ description: 'One destination; all if absent', example: DEFAULT_DESTINATION });

export const oneDestinationParam = destinationName
  .default(DEFAULT_DESTINATION)
  .openapi({ description: 'The name of a destination', default: DEFAULT_DESTINATION });

export function timezoneParam(description: string) {
  return z
    .string('must be a string')
    .regex(/^[\w+/-]{1,64}$/, 'must be the name of a time zone')
    .optional()
    .describe(description);
}

/** A body whose instants, the fields that end in `At`, are still epoch ms. */
type WithEpochMs<Body> = {
  readonly [Field in keyof Body]: Field extends `${string}At`
    ? number | Extract<Body[Field], null>
    : Body[Field];
};

/** Maps a row to a body: only the fields of the schema, and instants as ISO 8601. */
export function toBody<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  row: WithEpochMs<z.output<z.ZodObject<Shape>>>,
): z.output<z.ZodObject<Shape>> {
  const values: Readonly<Record<string, unknown>> = row;
  const fields = Object.keys(schema.shape).map((name) => {
    const value = values[name];
    const isInstant = name.endsWith('At') && typeof value === 'number';
    return [name, isInstant ? isoInstant(value) : value];
  });
  return Object.fromEntries(fields) as z.output<z.ZodObject<Shape>>;
}

/** Any text is allowed: one that is not a UUID is no user's id, and is answered with 404. */
export const userIdParam = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, format: 'uuid' }),
});

import { createRoute, z } from '@hono/zod-openapi';

import type { InputChange, InputsAtChange } from '../../users/input-history.ts';
import { needs } from '../access.ts';
import { USER_BY_ID } from '../addresses.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { nominalDate } from '../schemas/occurrences.ts';
import { problems } from '../problem.ts';
import { json, limitParam } from '../schemas/common.ts';

/** The history of a user's schedule inputs. */
export function registerHistory(
  app: Api,
  {
    users,
    findInputHistory,
    dateSettings,
  }: Pick<ApiDeps, 'users' | 'findInputHistory' | 'dateSettings'>,
): void {
  const route = createRoute({
    operationId: 'getUserHistory',
    ...needs('users:read', 'Users'),
    summary: 'Get the history of a user',
    description:
      "Every change of what decides when the user's occasions fall due: dates, recurrences, time zones, delivery times, suspensions; no names. The latest first; a change that several occasions follow, such as one of the time zone, is listed for each. `next` is what fell due next at that moment, before and after the change, by the current settings and tz database: together they show what was moved, and where to. After a change it is the same day as before if that is still named; an instant before the change then means that it was due at once.",
    method: 'get',
    path: `${USER_BY_ID.path}/history`,
    request: { query: z.strictObject({ limit: limitParam }), params: USER_BY_ID.params },
    responses: {
      200: { description: 'The changes', content: json(HistorySchema) },
      ...problems(400, 404),
    },
  });
  app.openapi(route, async (c) => {
    const { id } = await users.get(c.req.valid('param').user);
    const { limit } = c.req.valid('query');
    const { changes, isComplete } = await findInputHistory(id, limit, await dateSettings());
    return c.json({ changes: changes.map(changeBody), isComplete }, 200);
  });
}

const InputsSchema = z
  .object({
    date: z.iso.date(),
    recurrence: z.string().openapi({ example: 'yearly' }),
    rrule: z.string().nullable(),
    offsetDays: z.int(),
    timezone: z.string(),
    deliveryTime: z
      .string()
      .nullable()
      .describe('Null: the default of the occasion type or the installation'),
    suspended: z.boolean(),
    next: z.union([z.object({ nominalDate, dueAt: z.iso.datetime() }), z.null()]),
  })
  .openapi('ScheduleInputs');

const ChangeSchema = z
  .object({
    at: z.iso.datetime(),
    occasionType: z.string().openapi({ example: 'birthday' }),
    occasionId: z.uuid().describe("For a birthday, the user's id"),
    // Not nullable(): that would make every ScheduleInputs of the document nullable.
    before: z.union([InputsSchema, z.null()]).describe('Null when the occasion began'),
    after: z.union([InputsSchema, z.null()]).describe('Null when it was deleted'),
  })
  .openapi('InputChange');

export const HistorySchema = z
  .object({
    changes: z.array(ChangeSchema),
    isComplete: z.boolean().describe('False if there are older ones'),
  })
  .openapi('UserHistory');

function changeBody({
  at,
  before,
  after,
  ...occasion
}: InputChange): z.output<typeof ChangeSchema> {
  return {
    at: new Date(at).toISOString(),
    ...occasion,
    before: before && inputsBody(before),
    after: after && inputsBody(after),
  };
}

function inputsBody({ next, ...inputs }: InputsAtChange): z.output<typeof InputsSchema> {
  return { ...inputs, next: next && { ...next, dueAt: new Date(next.dueAt).toISOString() } };
}

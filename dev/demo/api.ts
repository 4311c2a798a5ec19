/** What the demo asks of Daybell's API. */
import { z } from 'zod';

import { CommandError, EXIT, refusedBy, type RunningApi } from '../../src/cli/command.ts';

const previewSchema = z.object({
  occurrences: z.tuple([z.object({ localTime: z.string() })], z.unknown()),
});
const userSchema = z.object({ id: z.string() });
const occurrenceSchema = z.object({
  status: z.string(),
  reason: z.string().nullable(),
  dueAt: z.iso.datetime().nullable(),
  latenessMs: z.number().nullable(),
  attempts: z.array(z.unknown()),
});
const occurrencesSchema = z.object({ occurrences: z.array(occurrenceSchema) });

export interface DemoOccurrence extends z.output<typeof occurrenceSchema> {}

export interface NewUser {
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
}

export type DemoApi = ReturnType<typeof createDemoApi>;

const ANSWER_LIMIT_MS = 5_000;

/** Each method rejects with a CommandError when the API does not answer, or refuses. */
export function createDemoApi(api: RunningApi) {
  async function call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${api.url}${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      headers: { ...api.headers, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch(() => null);
    if (response === null) throw unavailable(`${api.url} (HOST, PORT) does not answer.`);
    const answer = await response.text();
    if (!response.ok) throw unavailable(refusedBy(api, response, answer));
    return JSON.parse(answer);
  }

  return {
    /** HH:MM, as the running service has it. */
    async deliveryLocalTime(): Promise<string> {
      // No local time is skipped in UTC: the answer is the setting.
      const birthday = { dateOfBirth: '1990-01-15', timezone: 'UTC' };
      const answer = await call('POST', '/v1/occurrences/preview', birthday);
      return previewSchema.parse(answer).occurrences[0].localTime;
    },
    /** Returns the user's id. */
    async createUser(user: NewUser): Promise<string> {
      return userSchema.parse(await call('POST', '/v1/users', user)).id;
    },
    /** The occurrence that is due at an instant (epoch ms), once it is planned. */
    async findOccurrence(userId: string, dueAt: number): Promise<DemoOccurrence | null> {
      const answer = await call('GET', `/v1/users/${userId}/occurrences`);
      const { occurrences } = occurrencesSchema.parse(answer);
      const due = new Date(dueAt).toISOString();
      return occurrences.find((occurrence) => occurrence.dueAt === due) ?? null;
    },
  };
}

function unavailable(message: string): CommandError {
  return new CommandError(message, EXIT.unavailable);
}

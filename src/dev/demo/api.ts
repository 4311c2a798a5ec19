/** What the demo asks of Daybell's API. */
import { z } from 'zod';

import { refusedBy, type RunningApi } from '../../cli/command.ts';

const previewSchema = z.object({
  occurrences: z.array(z.object({ localTime: z.string() })).min(1),
});
const userSchema = z.object({ id: z.string() });
const occurrenceSchema = z.object({
  status: z.string(),
  reason: z.string().nullable(),
  fireAt: z.string().nullable(),
  latenessMs: z.number().nullable(),
  attempts: z.array(z.unknown()),
});
const occurrencesSchema = z.object({
  next: occurrenceSchema.nullable(),
  occurrences: z.array(occurrenceSchema),
});

export interface DemoOccurrence extends z.output<typeof occurrenceSchema> {}

export interface NewUser {
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string;
  readonly timezone: string;
}

export interface DemoApi {
  /** HH:MM, as the running service has it. */
  deliveryLocalTime(): Promise<string>;
  /** The new user's id. */
  createUser(user: NewUser): Promise<string>;
  /** The occurrence that is due at an instant (epoch ms), once it is planned. */
  findOccurrence(userId: string, dueAt: number): Promise<DemoOccurrence | null>;
}

/** Thrown when nothing listens where the API should be. */
export class NotRunningError extends Error {
  override readonly name = 'NotRunningError';
}

/** Thrown when the API does not let the demo in. */
export class NotAllowedError extends Error {
  override readonly name = 'NotAllowedError';
}

const ANSWER_LIMIT_MS = 5_000;

export function createDemoApi(running: RunningApi): DemoApi {
  async function call(method: string, path: string, body?: object): Promise<unknown> {
    const { url, headers } = running;
    const response = await fetch(`${url}${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new NotRunningError(`${url} does not answer`, { cause: error });
    });
    const text = await response.text();
    if (response.status === 401 || response.status === 403) {
      throw new NotAllowedError(refusedBy(running, response, text));
    }
    if (!response.ok) throw new Error(`${method} ${path}: ${refusedBy(running, response, text)}`);
    return JSON.parse(text);
  }

  return {
    async deliveryLocalTime() {
      // In UTC no local time is ever moved: what comes back is the setting.
      const answer = await call('POST', '/v1/occurrences/preview', {
        dateOfBirth: '1990-01-15',
        timezone: 'UTC',
      });
      return previewSchema.parse(answer).occurrences[0]?.localTime ?? '';
    },
    async createUser(user) {
      return userSchema.parse(await call('POST', '/v1/users', user)).id;
    },
    async findOccurrence(userId, dueAt) {
      const answer = await call('GET', `/v1/users/${userId}/occurrences`);
      const { next, occurrences } = occurrencesSchema.parse(answer);
      const due = new Date(dueAt).toISOString();
      return [next, ...occurrences].find((occurrence) => occurrence?.fireAt === due) ?? null;
    },
  };
}

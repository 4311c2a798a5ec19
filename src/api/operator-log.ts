/** The operator log, as routes declare it: an entry before the change, its outcome afterwards. */
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';
import { z } from 'zod';

import { isOccasionType, isOccurrenceKey } from '../ledger/occurrence-key.ts';
import type { OperatorLog, OperatorLogDetail } from '../operator-log/operator-log.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logger.ts';
import { routesOf } from './access.ts';
import type { Api, ApiDeps, ApiEnv } from './deps.ts';
import { loggerOf } from './requests.ts';
import { destinationName } from './schemas/common.ts';

const EXTENSION = 'x-operator-log';

/** For a route's description: its requests, from API and console alike, go to the operator log. */
export const LOGGED = { [EXTENSION]: true } as const;

/** Routes that change something, by method and pattern. */
export type ChangeTable = ReadonlyMap<string, Change>;

interface Change {
  readonly operationId: string;
  /** Also when it does not come through the console. */
  readonly isLogged: boolean;
}

/** All routes that require a scope to write. */
export function readChanges(app: Api): ChangeTable {
  const table = new Map<string, Change>();
  for (const [name, route] of routesOf(app)) {
    const scopes = (route.security ?? []).flatMap((scheme) => Object.values(scheme).flat());
    if (route.method === 'get' || !scopes.some((scope) => scope.endsWith(':write'))) continue;
    if (route.operationId === undefined) throw new Error(`${name} has no operationId`);
    table.set(name, { operationId: route.operationId, isLogged: route[EXTENSION] === true });
  }
  return table;
}

/**
 * Writes an entry before the request proceeds, so that a change that cannot be logged is not made,
 * and its outcome when it is answered. Use it after the key is verified.
 */
export function logOperations(
  table: () => ChangeTable,
  { operatorLog, logger }: Pick<ApiDeps, 'operatorLog' | 'logger'>,
) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const found = matchedRoutes(c).find(({ method, path }) => table().has(`${method} ${path}`));
    const change = found && table().get(`${found.method} ${found.path}`);
    // Without a server around the app there is no env at all.
    const console = (c.env as ApiEnv['Bindings'] | undefined)?.console;
    if (found === undefined || change === undefined || !(change.isLogged || console)) return next();

    const id = await operatorLog.open({
      actor: (console === undefined ? c.get('keyName') : console.key?.name) ?? null,
      via: console === undefined ? 'api' : 'console',
      action: change.operationId,
      subject: subjectOf(c, found.path),
    });
    const operation = createOperation(id, operatorLog, loggerOf(c, logger));
    c.set('operation', operation);
    await next();
    const created = CREATED_USER.exec(c.res.headers.get('Location') ?? '')?.[1];
    if (created !== undefined) await operation.note({}, created);
    await operation.answered(c.res.status);
  });
}

/** Adds to the entry of a request, if it has one; a new subject replaces the earlier one. */
export async function noteOperation(
  c: Context<ApiEnv>,
  detail: OperatorLogDetail,
  subject: string | null = null,
): Promise<void> {
  await c.get('operation')?.note(detail, subject);
}

export type LoggedOperation = ReturnType<typeof createOperation>;

/**
 * Only opening an entry can prevent a change: nothing here rejects. What cannot be written is
 * missing from the entry, and the process logs a warning.
 */
function createOperation(id: string, operatorLog: OperatorLog, logger: Logger) {
  let isOpen = true;
  let isHeld = false;
  const write = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      const about = { entry: id, error: describeError(error) };
      logger.warn(about, 'an entry of the operator log could not be completed');
    });
  const close = async (status: number): Promise<void> => {
    if (isOpen) await write(operatorLog.close(id, status));
    isOpen = false;
  };
  return {
    note: (detail: OperatorLogDetail, subject: string | null = null): Promise<void> =>
      write(operatorLog.note(id, detail, subject)),

    /** For a dry run, which changes nothing: removes the entry. */
    async discard(): Promise<void> {
      isOpen = false;
      await write(operatorLog.discard(id));
    },

    /**
     * For a response that is streamed. Returns a function that records its end: the outcome is 200.
     */
    hold(): () => Promise<void> {
      isHeld = true;
      return () => close(200);
    },

    answered: async (status: number): Promise<void> => {
      if (!isHeld) await close(status);
    },
  };
}

const CREATED_USER = /^\/v1\/users\/([\da-f-]{36})/;

/**
 * What the path names, or the destination in the query. Nothing else that a caller may have written
 * there is kept: an external id, for example, can be personal data.
 */
function subjectOf(c: Context<ApiEnv>, pattern: string): string | null {
  const segments = c.req.path.split('/');
  const named = pattern.split('/').flatMap((name, index) => {
    const isSubject = SUBJECTS[name];
    const value = unescaped(segments[index] ?? '');
    return isSubject?.(value) ? [value] : [];
  });
  const { success, data } = destinationName.safeParse(c.req.query('destination'));
  return named[0] ?? (success ? data : null);
}

const SUBJECTS: Readonly<Record<string, (value: string) => boolean>> = {
  ':id': (value) => z.uuid().safeParse(value).success,
  ':key': isOccurrenceKey,
  ':name': isOccasionType,
};

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment).toLowerCase();
  } catch {
    return '';
  }
}

export interface ErrorDescription {
  readonly name: string;
  readonly message?: string;
  readonly code?: string;
  readonly hint?: string;
  readonly constraint?: string;
  readonly stack: readonly string[];
  readonly cause?: ErrorDescription;
}

/**
 * What a log may contain of an error, without personal data. For a database error, that is the
 * SQLSTATE, and PostgreSQL's own message and hint if they cannot quote a value; never its detail,
 * which contains rows.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, stack: [] };
  const { code, constraint, hint } = error as Partial<Record<string, unknown>> & Error;
  const message = loggableMessage(error);
  return {
    name: error.name,
    ...(message !== null && { message }),
    ...(typeof code === 'string' && { code }),
    ...(message !== null && typeof hint === 'string' && { hint }),
    ...(typeof constraint === 'string' && { constraint }),
    stack: frames(error),
    ...(error.cause instanceof Error && { cause: describeError(error.cause) }),
  };
}

/** An error in one line that may be stored and shown: its message or its name, and its code. */
export function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = errorCode(error);
  return `${loggableMessage(error) || error.name}${code && ` (${code})`}`;
}

/** An error's message; null for a database error that may quote a value of the statement. */
export function loggableMessage(error: Error): string | null {
  if (!isOfDatabase(error)) return error.message;
  const { code } = error as Partial<Record<string, unknown>> & Error;
  // The driver's own errors have no code.
  if (typeof code !== 'string') return OF_DRIVER.test(error.message) ? error.message : null;
  if (!WITHOUT_VALUES.test(code)) return null;
  // The ORM appends the detail and the hint, a line each.
  const [message = ''] = error.message.split('\n', 1);
  return message;
}

/** Whether PostgreSQL, or a pooler in front of it, returned this error. */
export function isOfDatabase(error: Error): boolean {
  const isSqlState = 'code' in error && SQLSTATE.test(String(error.code));
  return isSqlState || 'severity' in error || error.name.endsWith('Exception');
}

/** Unlike Node's codes, such as `EPIPE`, it has a digit. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/**
 * Classes of SQLSTATE (PostgreSQL's appendix A) whose messages name only objects, roles and states.
 * Not among them: 22, which quotes the data; P0, whose text a function chooses; and 42601, which
 * quotes the statement.
 */
const WITHOUT_VALUES = /^(08|0A|23|25|26|28|3D|3F|40|42(?!601)|53|54|55|57|58)/;

/** Only the frames: a stack begins with the message. */
function frames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
}

/**
 * Whether a server is unavailable for now: it refuses connections, its name is unknown, it is
 * starting or stopping, it has no connection left, or it is a standby. The same call may succeed
 * later.
 */
export function isServerAway(error: unknown): boolean {
  const code = errorCode(error);
  return (
    SYSTEM_AWAY.has(code) ||
    DATABASE_AWAY.test(code) ||
    (error instanceof Error && WITHOUT_CODE.has(error.message))
  );
}

/** The code of an error or of its cause; empty when there is none. */
export function errorCode(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
}

/** The SQLSTATE of a write on a standby. */
export const READ_ONLY = '25006';

/** Node's system errors. */
const SYSTEM_AWAY = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * SQLSTATEs: connection exceptions, which poolers also use for theirs; insufficient resources;
 * shutdown, crash and start; and a write on a standby, as after a failover.
 */
const DATABASE_AWAY = /^(?:08|53|57P0|25006)/;

/** Beginnings of the driver's messages about a connection, which contain no value. */
const OF_DRIVER =
  /^(?:Client (?:has|was) |Connection terminated |The server does not support SSL|timeout )/;

/** What PostgreSQL's driver and its pool throw, without a code, when a connection is lost or not available. */
const WITHOUT_CODE = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'timeout exceeded when trying to connect',
  'timeout expired',
]);

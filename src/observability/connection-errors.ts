/**
 * Whether an error says that a server is not there now (nobody listens, its name is not
 * known, it is starting or stopping, it has no connection left). The same may pass later.
 */
export function isServerAway(error: unknown): boolean {
  return AWAY.has(errorCode(error)) || (error instanceof Error && WITHOUT_CODE.has(error.message));
}

/** The code of an error or of what caused it; empty when there is none. */
export function errorCode(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
}

/** Of Node's system errors, and of PostgreSQL's SQLSTATEs. */
const AWAY = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  '53300',
  '57P01',
  '57P02',
  '57P03',
]);

/** What PostgreSQL's driver and its pool say of a connection that is lost or not to be had, without a code. */
const WITHOUT_CODE = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'timeout exceeded when trying to connect',
  'timeout expired',
]);

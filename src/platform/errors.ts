/**
 * What a log may contain of an error, without personal data: a database's message quotes the values
 * of the statement that failed, so of such an error only the code and the place are kept.
 */
export function describeError(error: unknown) {
  if (!(error instanceof Error)) return { name: typeof error, stack: [] };
  const { code, constraint, severity } = error as Partial<Record<string, unknown>> & Error;
  const ofDatabase = severity !== undefined || error.name.endsWith('Exception');
  return {
    name: error.name,
    ...(!ofDatabase && { message: error.message }),
    ...(typeof code === 'string' && { code }),
    ...(typeof constraint === 'string' && { constraint }),
    stack: frames(error),
  };
}

/** Only the places: a stack begins with the message. */
function frames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
}

/**
 * Whether a server is unavailable for now: it refuses connections, its name is unknown, it is
 * starting or stopping, or it has no connection left. The same call may succeed later.
 */
export function isServerAway(error: unknown): boolean {
  return AWAY.has(errorCode(error)) || (error instanceof Error && WITHOUT_CODE.has(error.message));
}

/** The code of an error or of its cause; empty when there is none. */
export function errorCode(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
}

/** Node's system errors, and PostgreSQL's SQLSTATEs. */
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

/** What PostgreSQL's driver and its pool throw, without a code, when a connection is lost or not available. */
const WITHOUT_CODE = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'timeout exceeded when trying to connect',
  'timeout expired',
]);

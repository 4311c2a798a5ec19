/** What a log may hold of an error. */
export interface ErrorDescription {
  readonly name: string;
  readonly message?: string;
  readonly code?: string;
  readonly constraint?: string;
  readonly stack: readonly string[];
}

/**
 * An error without anybody's data: a database's message quotes the values of the
 * statement that failed, so of such an error only its code and place are told.
 */
export function describeError(error: unknown): ErrorDescription {
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

/** Only the places: the head of a stack is the message again. */
function frames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '));
}

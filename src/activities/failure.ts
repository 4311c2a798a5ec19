import { ApplicationFailure } from '@temporalio/common';

/**
 * An error as Temporal may keep it: a database's message quotes the statement with its
 * values, and Temporal holds no names and no dates of birth. Only the error's name, its
 * code and its places in the code are told; it is retried.
 */
export function withoutData(error: unknown): ApplicationFailure {
  const { name, code, stack } = error instanceof Error ? describe(error) : describe(new Error());
  const message = code === null ? name : `${name} (${code})`;
  const failure = ApplicationFailure.retryable(message, name);
  failure.stack = [message, ...stack].join('\n');
  return failure;
}

function describe(error: Error & { code?: unknown }) {
  const stack = (error.stack ?? '').split('\n').filter((line) => line.trim().startsWith('at '));
  return { name: error.name, code: typeof error.code === 'string' ? error.code : null, stack };
}

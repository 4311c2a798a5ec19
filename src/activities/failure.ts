import { ApplicationFailure } from '@temporalio/common';

type Activity = (...args: never[]) => Promise<unknown>;

/**
 * Wraps activities so that their errors carry no data; their own ApplicationFailures pass as they
 * are.
 */
export function failingWithoutData<Given extends Record<string, Activity>>(
  activities: Given,
): Given {
  const guarded = Object.entries(activities).map(([name, activity]) => [
    name,
    async (...args: never[]) => {
      try {
        return await activity(...args);
      } catch (error) {
        throw error instanceof ApplicationFailure ? error : withoutData(error);
      }
    },
  ]);
  return Object.fromEntries(guarded);
}

/**
 * An error as Temporal may store it: a database's message quotes the statement with its values, and
 * Temporal must hold no names and no dates of birth. Keeps the error's name, code and stack frames,
 * and can be retried.
 */
export function withoutData(error: unknown): ApplicationFailure {
  const { name, code, stack }: Error & { code?: unknown } =
    error instanceof Error ? error : new Error();
  const message = typeof code === 'string' ? `${name} (${code})` : name;
  const failure = ApplicationFailure.retryable(message, name);
  const places = (stack ?? '').split('\n').filter((line) => line.trim().startsWith('at '));
  failure.stack = [message, ...places].join('\n');
  return failure;
}

/** Users whose birthday comes within a minute, and what the API and Temporal report about them. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { RunningDaybell } from '../../support/started-daybell.ts';

export interface Occurrence {
  readonly status: string;
  readonly dueAt: string;
  readonly latenessMs: number | null;
  readonly attempts: readonly unknown[];
}

/** Creates a user by the API; returns the id. */
export async function createUser(
  daybell: RunningDaybell,
  dateOfBirth: string,
  { timezone = 'UTC', headers = {} }: { timezone?: string; headers?: Record<string, string> } = {},
): Promise<string> {
  const user = { firstName: 'Ada', lastName: 'Lovelace', dateOfBirth, timezone };
  const created = await send(daybell, 'POST', '/v1/users', user, headers);
  return String(created['id']);
}

export async function send(
  daybell: RunningDaybell,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(`${daybell.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

/** The occurrences of a user, the newest first, once one of them is as expected. */
export async function occurrenceThat(
  daybell: RunningDaybell,
  userId: string,
  isWanted: (occurrence: Occurrence) => boolean,
): Promise<Occurrence> {
  for (;;) {
    const { occurrences } = await send(daybell, 'GET', `/v1/users/${userId}/occurrences`);
    const found = (occurrences as Occurrence[]).find(isWanted);
    if (found !== undefined) return found;
    await sleep(100);
  }
}

/**
 * What the Web UI shows of a user's workflow, its status and its history, once the workflow
 * exists: the scheduler starts it a moment after it has planned the occasion.
 */
export async function workflowInWebUi(daybell: RunningDaybell, userId: string) {
  const workflow = `${daybell.webUi}/api/v1/namespaces/default/workflows/birthday%2F${userId}`;
  for (;;) {
    const { workflowExecutionInfo: info } = await ask<{
      workflowExecutionInfo?: { status: string };
    }>(workflow);
    if (info === undefined) {
      await sleep(100);
      continue;
    }
    const { history } = await ask<{ history: { events: HistoryEvent[] } }>(`${workflow}/history`);
    return { status: info.status, events: history.events };
  }
}

async function ask<Answer>(url: string): Promise<Answer> {
  return (await (await fetch(url)).json()) as Answer;
}

export interface HistoryEvent {
  readonly eventTime: string;
  readonly eventType: string;
  readonly timerStartedEventAttributes?: { readonly startToFireTimeout: string };
}

/** When the timers of a history fire, epoch ms, the first one first. */
export function timersOf(events: readonly HistoryEvent[]): number[] {
  return events.flatMap(({ eventTime, timerStartedEventAttributes }) =>
    timerStartedEventAttributes === undefined
      ? []
      : Date.parse(eventTime) + parseFloat(timerStartedEventAttributes.startToFireTimeout) * 1000,
  );
}

/** Waits for what must happen; the test's own time limit ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

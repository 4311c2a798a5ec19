// @module-tag long
/** `npm start` with a receiver of one's own, from a new user to the greeting. */
import { Webhook } from 'standardwebhooks';
import { beforeAll, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { startTraceCollector } from '../support/trace-collector.ts';
import { findDevServerProgram } from '../support/temporal.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';
import {
  createUser,
  occurrenceThat,
  send,
  timersOf,
  until,
  workflowInWebUi,
} from './support/birthdays.ts';
import { dueInstants } from '../support/instant-zones.ts';
import { startDaybell, stillRunning, temporaryDataDir } from '../support/started-daybell.ts';

beforeAll(findDevServerProgram, 25 * 60_000);

test(
  'greets a new user once, at the instant, and follows a change and a deletion by the API',
  { timeout: 480_000 },
  async () => {
    const receiver = await startWebhookReceiver();
    const collector = await startTraceCollector();
    const secret = newWebhookSecret();
    const dataDir = await temporaryDataDir();
    const instants = dueInstants(dataDir);
    const daybell = await startDaybell({
      DATA_DIR: dataDir,
      ...instants.settings,
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRETS: secret,
      WEBHOOK_ALLOW_PRIVATE: 'true',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    });
    // A process that dies is replaced.
    const worker = daybell.process('worker');
    process.kill(worker.pid, 'SIGKILL');
    await daybell.terminal.line(/worker was killed by SIGKILL; restarting it in 1 s/);
    await daybell.terminal.line(/worker is back/);
    expect(daybell.process('worker').pid).not.toBe(worker.pid);

    const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
    const due = instants.next(20_000);
    const userId = await createUser(daybell, instants.dateOfBirth, {
      timezone: due.timezone,
      headers: { traceparent },
    });

    // While that instant comes: another user, far from the birthday, moves from UTC to Tokyo.
    const other = await createUser(daybell, monthsFrom(due.at, 6));
    const before = await occurrenceThat(daybell, other, ({ status }) => status === 'PENDING');
    // Moved before it has a workflow, it would get one for the new instant, and nothing to wake.
    const isThere = (): Promise<boolean> =>
      workflow().then(
        () => true,
        () => false,
      );
    await until(isThere);
    await send(daybell, 'PATCH', `/v1/users/${other}`, { timezone: 'Asia/Tokyo' });
    const after = await occurrenceThat(daybell, other, ({ dueAt }) => dueAt !== before.dueAt);
    const movedMs = Date.parse(after.dueAt) - Date.parse(before.dueAt);
    expect(movedMs).toBe(-9 * 3_600_000);

    // Its workflow was woken by the change, and sleeps until some seconds after the new instant.
    const [wakeAt = NaN] = await timers(1);
    expect(wakeAt - Date.parse(after.dueAt)).toBeGreaterThan(9_000);
    expect(wakeAt - Date.parse(after.dueAt)).toBeLessThan(60_000);

    await send(daybell, 'DELETE', `/v1/users/${other}`);
    await until(async () => (await workflow()).status === 'WORKFLOW_EXECUTION_STATUS_COMPLETED');

    await until(() => receiver.received.length > 0);
    const [greeting] = receiver.received;
    expect(greeting?.at).toBeGreaterThanOrEqual(due.at);
    const sent = { userId, firstName: 'Ada', timezone: due.timezone, late: false };
    expect(greeting?.body.data).toMatchObject(sent);
    const headers = greeting?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(greeting?.rawBody ?? '', headers)).toEqual(greeting?.body);

    const delivered = await occurrenceThat(daybell, userId, ({ status }) => status === 'COMPLETED');
    expect(delivered).toMatchObject({ dueAt: new Date(due.at).toISOString() });
    expect(delivered.attempts).toHaveLength(1);
    // Next year is planned: whatever could send it again has had its turn.
    await occurrenceThat(daybell, userId, ({ status }) => status === 'PENDING');
    expect(receiver.received).toHaveLength(1);

    // One trace, through every process: from what the receiver got to the parent of each span.
    const [, trace, last] = (headers['traceparent'] ?? '').split('-');
    expect(trace).toBe(TRACE);
    let parent: string | null = last ?? null;
    for (const [service, name] of WAY.toReversed()) {
      const child: string | null = parent;
      const span = await collector.span(
        name,
        (one) => one.service === service && isOurs(one) && one.spanId === child,
      );
      parent = span.parentSpanId;
    }
    expect(parent).toBe('b7ad6b7169203331');

    const processes = daybell.processes();
    expect(processes.map(({ name }) => name)).toContain('dispatcher');
    expect(await daybell.terminal.stop('SIGINT')).toBe(0);
    expect(stillRunning(processes)).toEqual([]);
    await receiver.close();
    await collector.close();

    async function workflow() {
      return workflowInWebUi(daybell, other);
    }

    async function timers(count: number): Promise<number[]> {
      await until(async () => timersOf((await workflow()).events).length >= count);
      return timersOf((await workflow()).events);
    }
  },
);

const TRACE = '0af7651916cd43dd8448eb211c80319c';
/** The processes that a greeting goes through, and what each calls its part. */
const WAY = [
  ['daybell-api', 'POST /v1/users'],
  ['daybell-scheduler', 'plan'],
  ['daybell-dispatcher', 'POST'],
] as const;

function isOurs({ traceId }: { readonly traceId: string }): boolean {
  return traceId === TRACE;
}

/** A date of birth so many months from an instant's month, epoch ms, on the 15th. */
function monthsFrom(instant: number, months: number): string {
  const date = new Date(instant);
  const month = ((date.getUTCMonth() + months) % 12) + 1;
  return `1992-${String(month).padStart(2, '0')}-15`;
}

/** The current state, for a page that is open while occurrences are sent. */
import { createRoute, z } from '@hono/zod-openapi';

import { createLedgerState, type DueToday } from '../../ledger/ledger-state.ts';
import { createPeaks, type PastPeak, type Peak } from '../../ledger/peaks.ts';
import { NOTHING_WAITS } from '../../ledger/delivery-control.ts';
import { kept, withinLimit } from '../../platform/async.ts';
import { isoInstant } from '../../time/instant.ts';
import { needs } from '../access.ts';
import type { Api, ApiDeps } from '../deps.ts';
import { problems } from '../problem.ts';
import { json, noQuery } from '../schemas/common.ts';
import { createProblemsNow } from '../problems-now.ts';
import { PROBLEM_CODES } from '../problem-sentences.ts';

/** Every open page requests it every few seconds: they share what was read. */
const SHARED_FOR_MS = 1_000;
const READ_WITHIN_MS = 3_000;
/** On the day of a large herd, a read takes longer than a page should. */
const IMPATIENCE = { waitMs: 80, maxAgeMs: 30_000 };
const ZONES_LISTED = 20;

export function registerStatus(app: Api, deps: ApiDeps): void {
  const ledger = createLedgerState(deps.orm, deps.audit.limits);
  const peaks = createPeaks(deps.orm);
  /** With when it was read. */
  const dated =
    <Value>(ask: () => Promise<Value>) =>
    async () => {
      const at = deps.clock();
      return { at, value: await ask() };
    };
  const read = <Value>(ask: () => Promise<Value>) => {
    const readKept = kept(dated(ask), SHARED_FOR_MS, IMPATIENCE);
    // If the database is down or busy, the problems say so.
    return () => withinLimit(readKept(), READ_WITHIN_MS).catch(() => undefined);
  };
  const readProblems = kept(dated(createProblemsNow(deps)), SHARED_FOR_MS, IMPATIENCE);
  const readToday = read(async () => todayBody(await ledger.today()));
  const readWaiting = read(async () => (await deps.deliveries.countWaiting()).all);
  const readLast = read(async () => lastPeakBody(await peaks.last()));
  const readNext = read(peaks.next);

  const route = createRoute({
    operationId: 'getStatus',
    ...needs('deliveries:read', 'Operation'),
    summary: 'Get the current status',
    description:
      'What is wrong, how many fell due today, and how the last peak went. It may be requested every few seconds: a reading is kept for a second, or for ten times as long as it took, and returned for up to 30 seconds while the next one takes long; `at` says when the oldest part was read. A part that cannot be read in three seconds is null.',
    method: 'get',
    path: '/v1/status',
    request: { query: noQuery },
    responses: {
      200: { description: 'The current status', content: json(StatusSchema) },
      ...problems(400),
    },
  });
  app.openapi(route, async (c) => {
    const [found, ...parts] = await Promise.all([
      readProblems(),
      readToday(),
      readWaiting(),
      readLast(),
      readNext(),
    ]);
    const at = Math.min(found.at, ...parts.map((part) => part?.at ?? Infinity));
    const [today, waiting, last, next] = parts;
    const audited = deps.lastAudit();
    const { due, retrying, sending } = waiting?.value ?? NOTHING_WAITS;
    return c.json(
      {
        at: new Date(at).toISOString(),
        problems: found.value.map(({ since, ...problem }) =>
          Object.assign({ since: new Date(since).toISOString() }, problem),
        ),
        today: today?.value ?? null,
        waiting: waiting === undefined ? null : { due, retrying, sending },
        lastPeak: last?.value ?? null,
        nextPeak: nextPeakBody(next?.value ?? null),
        lastAudit: audited && [...audited],
      },
      200,
    );
  });
}

const instant = z.iso.datetime();

const counts = {
  onTime: z.int().describe('Delivered within LATE_AFTER'),
  late: z.int().describe('Delivered later'),
  failed: z.int().describe('Given up after an attempt'),
  skipped: z.int().describe('Never attempted: too late, or superseded'),
  waiting: z.int().describe('Due, not yet delivered, and not yet late'),
  overdue: z.int().describe('Due for longer than LATE_AFTER, and not yet delivered'),
  toCome: z.int().describe('Planned, and not yet due'),
};

const PeakSchema = z.object({
  at: instant.describe('The beginning of the minute'),
  occurrences: z.int(),
});

export const StatusSchema = z
  .object({
    at: instant.describe('When the oldest part was read'),
    problems: z
      .array(
        z
          .object({
            code: z.enum(PROBLEM_CODES),
            since: instant.describe('If it is known; otherwise when this process first saw it'),
            sentence: z.string(),
            advice: z.string(),
          })
          .openapi('ProblemNow'),
      )
      .describe('What is wrong now; empty if nothing is'),
    // Not nullable(): that would make each of these schemas itself nullable.
    today: z
      .union([
        z
          .object({
            date: z.iso.date(),
            ...counts,
            zones: z
              .array(z.object({ timezone: z.string(), ...counts }))
              .describe(`The ${ZONES_LISTED} with the most`),
          })
          .openapi('StatusToday'),
        z.null(),
      ])
      .describe('By due instant, on the current UTC day, according to the ledger'),
    waiting: z
      .union([
        z
          .object({
            due: z.int().describe('Due and not yet claimed'),
            retrying: z.int().describe('Waiting for their next attempt'),
            sending: z.int().describe('Claimed, and being sent'),
          })
          .openapi('StatusWaiting'),
        z.null(),
      ])
      .describe('At this moment, regardless of when it fell due'),
    lastPeak: z
      .union([
        PeakSchema.extend({
          delivered: z.int(),
          open: z.int().describe('Neither delivered nor given up so far'),
          p50Ms: z.number().nullable().describe('Lateness of deliveries, without redeliveries'),
          p95Ms: z.number().nullable(),
          p99Ms: z.number().nullable(),
          lateness: z
            .array(z.object({ upToMs: z.number(), count: z.int() }))
            .describe(
              'Ten groups for each power of ten, and one that ends at each percentile: the latest of each, and how many it has',
            ),
        }).openapi('LastPeak'),
        z.null(),
      ])
      .describe(
        'The latest minute of the last 24 hours in which at least half as many fell due as in the fullest of them',
      ),
    nextPeak: z
      .union([PeakSchema.openapi('NextPeak'), z.null()])
      .describe('The first such minute of the next 24 hours, among what is planned'),
    lastAudit: z
      .union([
        z.array(
          z
            .object({
              date: z.iso.date(),
              auditedAt: instant,
              due: z.int(),
              unaccounted: z.int(),
            })
            .openapi('AuditedDay'),
        ),
        z.null(),
      ])
      .describe('The last days, as this process audits them every hour; null before it has'),
  })
  .openapi('Status');

function todayBody(rows: readonly (DueToday & { readonly begins: number })[]) {
  const date = new Date(rows[0]?.begins ?? 0).toISOString().slice(0, 10);
  const zones = rows
    .map(({ begins: _begins, ...zone }) => ({ zone, total: totalOf(zone) }))
    .filter(({ total }) => total > 0)
    .toSorted((one, other) => other.total - one.total)
    .map(({ zone }) => zone);
  const sumOf = (name: keyof typeof counts) => zones.reduce((sum, zone) => sum + zone[name], 0);
  return {
    date,
    onTime: sumOf('onTime'),
    late: sumOf('late'),
    failed: sumOf('failed'),
    skipped: sumOf('skipped'),
    waiting: sumOf('waiting'),
    overdue: sumOf('overdue'),
    toCome: sumOf('toCome'),
    zones: zones.slice(0, ZONES_LISTED),
  };
}

function totalOf(zone: DueToday): number {
  return (Object.keys(counts) as (keyof typeof counts)[]).reduce(
    (sum, name) => sum + zone[name],
    0,
  );
}

function nextPeakBody(peak: Peak | null) {
  return peak && { ...peak, at: isoInstant(peak.at) ?? '' };
}

function lastPeakBody(peak: PastPeak | null) {
  return peak && { ...peak, at: isoInstant(peak.at) ?? '', lateness: [...peak.lateness] };
}

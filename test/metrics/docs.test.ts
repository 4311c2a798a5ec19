/** docs/metrics.md compared with a live scrape of all four processes. */
import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { MEASURED, type MeasuredProcess } from '../../dev/ports.ts';
import { ADA } from '../support/api.ts';
import { askRun } from '../support/ask-run.ts';
import { createEventRows } from '../support/event-rows.ts';
import { lintMetrics } from './lint-metrics.ts';
import { type MeasuredDaybell, startMeasuredDaybell } from './measured-daybell.ts';
import { parseMetrics, valueOf } from '../support/metrics.ts';
import { urlOf } from '../support/process.ts';

interface Described {
  readonly type: string;
  /** Null if no sample has been seen. */
  readonly labels: readonly string[] | null;
  readonly processes: readonly string[];
}

/** The labels that its metrics can have; none contains personal data. */
const TEMPORAL_LABELS = new Set(
  `namespace task_queue service_name workflow_type activity_type poller_type worker_type operation
  failure_reason status_code eager`.split(/\s+/),
);
const WITHIN = { timeout: 60_000, interval: 100 };

let daybell: MeasuredDaybell;
beforeAll(async () => {
  daybell = await startMeasuredDaybell();
});
afterAll(() => daybell.stop());

async function scrape(name: MeasuredProcess): Promise<string> {
  return (await fetch(await urlOf(daybell.processes[name], 'metrics'))).text();
}

test(
  'docs/metrics.md lists the metrics of all processes, and no others',
  { timeout: 240_000 },
  async () => {
    const url = await urlOf(daybell.processes.api);
    const headers = { 'Content-Type': 'application/json' };
    const created = await fetch(`${url}/v1/users`, {
      method: 'POST',
      headers,
      body: JSON.stringify(ADA),
    });
    const { id } = (await created.json()) as { id: string };
    const done = { result: 'done' };
    await expect
      .poll(
        async () => valueOf(await scrape('scheduler'), 'daybell_outbox_entries_total', done),
        WITHIN,
      )
      .toBeGreaterThan(0);
    // A change before its workflow has started would only start it with another delay.
    const started = { result: 'started' };
    await expect
      .poll(
        async () => valueOf(await scrape('scheduler'), 'daybell_occasions_notified_total', started),
        WITHIN,
      )
      .toBeGreaterThan(0);
    await createEventRows(daybell.database.orm).addHerd(1, Date.now());
    await expect
      .poll(async () => valueOf(await scrape('dispatcher'), 'daybell_deliveries_total'), WITHIN)
      .toBeGreaterThan(0);
    // What the plan of a change does to a sleeping workflow: it checks at once.
    const moved = JSON.stringify({ timezone: 'Asia/Tokyo' });
    await fetch(`${url}/v1/users/${id}`, { method: 'PATCH', headers, body: moved });
    // By then, Temporal's SDK has done most of what it has metrics for.
    const answered = { result: 'answered' };
    await expect
      .poll(
        async () => valueOf(await scrape('worker'), 'daybell_deliver_calls_total', answered),
        WITHIN,
      )
      .toBeGreaterThan(0);
    const polls = { poller_type: 'workflow_task' };
    await expect
      .poll(async () => valueOf(await scrape('worker'), 'temporal_num_pollers', polls), WITHIN)
      .toBeGreaterThan(0);

    const live = await describeLive();
    const documented = describeDocumented(await readFile('docs/metrics.md', 'utf8'));
    // Temporal's SDK only shows what has happened.
    expect([...live.keys()].filter((name) => !documented.has(name))).toEqual([]);
    expect([...live.keys()].filter(isOurs).toSorted()).toEqual(
      [...documented.keys()].filter(isOurs).toSorted(),
    );
    const names = [...live.keys()].toSorted();
    const of = (page: ReadonlyMap<string, Described>) =>
      names.map((name) => ({
        name,
        type: page.get(name)?.type,
        processes: page.get(name)?.processes,
      }));
    expect(of(live)).toEqual(of(documented));
    // Node's counts by kind may be empty at this moment; ours always exist.
    const seen = names.filter((name) => live.get(name)?.labels !== null);
    expect(names.filter((name) => name.startsWith('daybell_') && !seen.includes(name))).toEqual([]);
    const labelsOf = (name: string) => live.get(name)?.labels ?? [];
    // The page lists none of Temporal's by name: they are those above, in any selection.
    const expected = (name: string) =>
      isOurs(name)
        ? documented.get(name)?.labels
        : labelsOf(name).filter((label) => TEMPORAL_LABELS.has(label));
    expect(seen.map((name) => ({ name, labels: labelsOf(name) }))).toEqual(
      seen.map((name) => ({ name, labels: expected(name) })),
    );
  },
);

test("promtool's check finds nothing wrong with the metrics of any process", async () => {
  const promtool = await askRun('promtool');
  for (const process of MEASURED) {
    const page = await scrape(process);
    expect(await lintMetrics(promtool, page)).toEqual({ exitCode: 0, said: '' });
  }
});

function isOurs(name: string): boolean {
  return !name.startsWith('temporal_');
}

/**
 * By name: the type, the labels of its samples (null if it has none), and the processes that have
 * it.
 */
async function describeLive() {
  const live = new Map<
    string,
    { type: string; labels: string[] | null; processes: MeasuredProcess[] }
  >();
  for (const process of MEASURED) {
    for (const [name, { type, samples }] of parseMetrics(await scrape(process))) {
      const known = live.get(name);
      const labels = samples.flatMap((sample) => Object.keys(sample.labels));
      const seen = samples.length === 0 ? [] : [...(known?.labels ?? []), ...labels];
      live.set(name, {
        type,
        labels: samples.length === 0 ? (known?.labels ?? null) : namesOf(seen),
        processes: [...(known?.processes ?? []), process],
      });
    }
  }
  return live;
}

/** A histogram's `le` belongs to Prometheus. */
function namesOf(labels: readonly string[]): string[] {
  return [...new Set(labels)].filter((label) => label !== 'le').toSorted();
}

/** Rows of `| metric | type | labels | of | … |`; those without `of` apply to every process. */
function describeDocumented(page: string): Map<string, Described> {
  const rows = page.matchAll(/^\| `(\w+)` +\| (\w+) +\| ([^|]*)\|(?: ([^|]*)\|)?/gm);
  return new Map(
    [...rows].map(([, name = '', type = '', labels = '', of]) => {
      const names = [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label);
      const processes = of === undefined ? MEASURED : of.trim().split(', ');
      return [name, { type, labels: namesOf(names), processes }];
    }),
  );
}

/** docs/metrics.md against a live scrape of all four processes. */
import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { MEASURED, type MeasuredProcess } from '../../src/dev/metrics-ports.ts';
import { ADA } from '../support/api.ts';
import { createEventRows } from '../support/event-rows.ts';
import { type MeasuredDaybell, startMeasuredDaybell } from '../support/measured-daybell.ts';
import { parseMetrics, valueOf } from '../support/metrics.ts';
import { urlOf } from '../support/process.ts';

interface Described {
  readonly type: string;
  readonly labels: readonly string[];
  readonly processes: readonly string[];
}

/** Those that its metrics can have; none names anybody. */
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
    await fetch(`${url}/v1/users`, { method: 'POST', headers, body: JSON.stringify(ADA) });
    await createEventRows(daybell.database.orm).addHerd(1, Date.now());
    await expect
      .poll(async () => valueOf(await scrape('dispatcher'), 'daybell_deliveries_total'), WITHIN)
      .toBe(1);
    const relayed = { result: 'relayed' };
    await expect
      .poll(
        async () => valueOf(await scrape('relay'), 'daybell_relay_events_total', relayed),
        WITHIN,
      )
      .toBe(1);
    // By then, Temporal's SDK has done most of what it has metrics for.
    const planned = { result: 'succeeded' };
    await expect
      .poll(async () => valueOf(await scrape('worker'), 'daybell_plans_total', planned), WITHIN)
      .toBe(1);
    const polls = { poller_type: 'workflow_task' };
    await expect
      .poll(async () => valueOf(await scrape('worker'), 'temporal_num_pollers', polls), WITHIN)
      .toBeGreaterThan(0);

    const live = await describeLive();
    const documented = describeDocumented(await readFile('docs/metrics.md', 'utf8'));
    // Temporal's SDK shows what has happened, and no more.
    expect([...live.keys()].filter((name) => !documented.has(name))).toEqual([]);
    expect([...live.keys()].filter(isOurs).toSorted()).toEqual(
      [...documented.keys()].filter(isOurs).toSorted(),
    );
    for (const [name, { type, labels, processes: of }] of live) {
      expect({ name, type, processes: of }).toEqual({
        name,
        type: documented.get(name)?.type,
        processes: documented.get(name)?.processes,
      });
      // What Node counts by kind may have none at this moment; ours are always there.
      const isSeen = labels !== null;
      if (name.startsWith('daybell_')) expect({ name, isSeen }).toEqual({ name, isSeen: true });
      const expected = isOurs(name)
        ? documented.get(name)?.labels
        : labels?.filter((label) => TEMPORAL_LABELS.has(label));
      if (isSeen) expect({ name, labels }).toEqual({ name, labels: expected });
    }
  },
);

function isOurs(name: string): boolean {
  return !name.startsWith('temporal_');
}

/** By name: the type, the labels of its samples (null when it has none), and who has it. */
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

/** A histogram's `le` is Prometheus' own. */
function namesOf(labels: readonly string[]): string[] {
  return [...new Set(labels)].filter((label) => label !== 'le').toSorted();
}

/** Rows of `| metric | type | labels | of | … |`; those without `of` are of every process. */
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

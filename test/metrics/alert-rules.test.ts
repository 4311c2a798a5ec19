/**
 * The alarms: their thresholds tested with promtool; each can be caused, and is documented and
 * explained.
 */
import { readFile } from 'node:fs/promises';

import { beforeAll, describe, expect, test } from 'vitest';

import { readMachine } from '../../src/platform/settings/machine.ts';
import { runCommand } from '../../dev/run-command.ts';
import { askRun } from '../support/ask-run.ts';

const RULES = 'deploy/prometheus/alerts.yml';
const TESTS = 'deploy/prometheus/alerts.test.yml';
/** In steps of half a day, for conditions that need a month. */
const SLOW_TESTS = 'deploy/prometheus/alerts.july.test.yml';
/** The time to build promtool, if it is missing. */
const BUILD_LIMIT_MS = 25 * 60_000;

/** Ten seconds of a core. */
const PROMTOOL_LIMIT_MS = 180_000;

/** Where the condition is caused on the real parts, and the exported value is seen to move. */
const CAUSED_IN: Readonly<Record<string, string>> = {
  daybell_http_request_duration_seconds: 'metrics/api',
  daybell_database_query_duration_seconds: 'metrics/database',
  daybell_plans_total: 'metrics/worker',
  daybell_reconcile_steps_total: 'reconcile/ledger-loop',
  daybell_occurrences_due: 'metrics/state',
  daybell_occurrences_oldest_open_age_seconds: 'metrics/state',
  daybell_occurrences_backlog: 'metrics/state',
  daybell_deliveries_total: 'delivery/metrics-dispatcher',
  daybell_deliveries_late_total: 'delivery/metrics-dispatcher',
  daybell_delivery_attempts_total: 'delivery/metrics-dispatcher',
  daybell_receiver_throttled_total: 'delivery/metrics-dispatcher',
  daybell_destination_waiting: 'metrics/state',
  daybell_destination_dispatchers: 'metrics/state',
  daybell_clock_skewed: 'delivery/clock-skew',
  daybell_dead_letters: 'metrics/api',
  daybell_database_pool_busy_seconds_total: 'metrics/database',
  daybell_database_pool_size: 'metrics/database',
  daybell_database_active_seconds_total: 'metrics/state',
  daybell_database_cores: 'metrics/state',
  daybell_delivery_requests_open: 'metrics/database',
  daybell_delivery_requests_limit: 'metrics/database',
  daybell_missed_detected_total: 'reconcile/ledger-loop',
  daybell_backlog_in_progress: 'delivery/backlog',
  daybell_outbox_oldest_age_seconds: 'metrics/api',
  daybell_outbox_parked: 'metrics/api',
  daybell_task_queue_pollers: 'metrics/worker',
  daybell_tz_database_info: 'metrics/state',
  daybell_tz_database_release_year: 'metrics/state',
  daybell_audit_unaccounted: 'metrics/state',
  daybell_audit_last_success_timestamp_seconds: 'metrics/state',
  daybell_erasures_oldest_age_seconds: 'metrics/state',
  daybell_missed_unrepaired: 'reconcile/metrics',
  daybell_reconcile_last_success_timestamp_seconds: 'reconcile/metrics',
  temporal_worker_task_slots_used: 'metrics/worker',
  temporal_worker_task_slots_available: 'metrics/worker',
  temporal_workflow_task_execution_failed_total: 'metrics/worker',
};

let rules: string;
let named: string[];
beforeAll(async () => {
  rules = await readFile(RULES, 'utf8');
  // Names recorded by rules contain a colon.
  const names = rules.replaceAll(/^ *#.*$/gm, '').matchAll(/\b(?:daybell|temporal)_\w+/g);
  named = [...new Set([...names].map(([name]) => metricOf(name)))].toSorted();
});

/** The series of a histogram have these suffixes. */
function metricOf(series: string): string {
  return series.replace(/(_seconds)_(?:bucket|count|sum)$/, '$1');
}

describe('promtool', () => {
  let promtool: string;
  beforeAll(async () => {
    promtool = await askRun('promtool');
  }, BUILD_LIMIT_MS);
  const run = (...args: string[]) =>
    runCommand(promtool, args, { env: readMachine().environment, timeoutMs: PROMTOOL_LIMIT_MS });

  test('accepts the rules', async () => {
    const { ok, output } = await run('check', 'rules', RULES);
    expect(output).toMatch(/SUCCESS/);
    expect(ok).toBe(true);
  });

  test(
    'sees each alarm on both sides of its thresholds and of its window',
    async () => {
      const { ok, output } = await run('test', 'rules', TESTS, SLOW_TESTS);
      expect(output).toMatch(/SUCCESS/);
      expect(ok).toBe(true);
    },
    PROMTOOL_LIMIT_MS,
  );
});

test('every alarm is tested with each of its severities', async () => {
  const tests = await readFile(TESTS, 'utf8');
  const alarms = [...rules.matchAll(/- alert: (\w+)[\s\S]*?severity: (\w+)/g)];
  expect(alarms.length).toBeGreaterThan(30);
  for (const [, alarm, severity] of alarms) {
    expect(tests).toContain(`{alertname="${alarm}",severity="${severity}"}`);
  }
});

test('every alarm is explained in the runbook, under its name', async () => {
  const runbook = await readFile('docs/operations.md', 'utf8');
  const headings = [...runbook.matchAll(/^### (.*)$/gm)].map(([, words = '']) =>
    words.toLowerCase().replaceAll(' ', '-'),
  );
  const alarms = [...new Set([...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name))];
  for (const alarm of alarms) {
    const anchor = alarm.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
    expect(rules).toContain(`runbook_url: docs/operations.md#${anchor}\n`);
    expect(headings).toContain(anchor);
  }
  expect(rules.match(/annotations:/g)).toHaveLength(rules.match(/- alert:/g)?.length ?? 0);
});

test('every metric that a rule names is documented', async () => {
  const page = await readFile('docs/metrics.md', 'utf8');
  for (const name of named) expect(page).toContain(`| \`${name}\``);
});

test('every metric that a rule names is seen to move when its condition is caused', async () => {
  expect(named).toEqual(Object.keys(CAUSED_IN).toSorted());
  for (const [metric, file] of Object.entries(CAUSED_IN)) {
    const source = await readFile(`test/${file}.test.ts`, 'utf8');
    // Most tests put the `daybell_` before it in one place.
    expect(source).toContain(metric.replace(/^daybell_/, ''));
  }
});

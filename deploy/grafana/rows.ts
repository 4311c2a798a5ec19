/** What the dashboard shows, from whether today is all right down to the machinery. */
import { bars, graph, type Row, stat } from './panels.ts';

const due = (outcome: string): string =>
  `sum(max by (outcome) (daybell_occurrences_due{within="24h",outcome=~"${outcome}"}))`;
const rate = (metric: string, by = ''): string =>
  `sum${by === '' ? '' : ` by (${by})`} (rate(${metric}[$__rate_interval]))`;
const quantile = (share: number, metric: string, by = ''): string =>
  `histogram_quantile(${share}, sum by (le${by === '' ? '' : `, ${by}`}) (rate(${metric}_bucket[$__rate_interval])))`;

export const ROWS: readonly Row[] = [
  {
    title: 'Is today all right?',
    panels: [
      stat('Due', due('.*'), {
        description: 'Whose instant was in the last 24 hours, and what became of them.',
      }),
      stat('On time', due('on_time')),
      stat('Late', due('late'), { badFrom: 1 }),
      stat('Failed', due('failed'), { badFrom: 1 }),
      stat('Skipped as too late', due('skipped'), { badFrom: 1 }),
      stat('Waiting', due('waiting'), { description: 'Until LATE_AFTER.' }),
      stat('Overdue', due('overdue'), { badFrom: 1 }),
      stat('Unaccounted', 'max(daybell_audit_unaccounted)', {
        badFrom: 1,
        description: 'By the audit that the API runs every hour. Must be 0.',
      }),
    ],
  },
  {
    title: 'The next 24 hours',
    panels: [
      bars(
        'Due in each of the next hours, and the most in one minute of it',
        {
          due: 'max by (in_hours) (daybell_upcoming_occurrences)',
          'peak of a minute': 'max by (in_hours) (daybell_upcoming_peak)',
        },
        { description: 'By hours from now. The peak is what the receiver is to expect at once.' },
      ),
    ],
  },
  {
    title: 'The herd in seconds',
    panels: [
      graph('Deliveries a second', {
        delivered: rate('daybell_deliveries_total'),
        late: rate('daybell_deliveries_late_total'),
        'given up': rate('daybell_deliveries_failed_total'),
      }),
      graph(
        'Lateness',
        {
          median: quantile(0.5, 'daybell_delivery_lateness_seconds'),
          '95 %': quantile(0.95, 'daybell_delivery_lateness_seconds'),
          '99 %': quantile(0.99, 'daybell_delivery_lateness_seconds'),
        },
        { unit: 's' },
      ),
      graph('Due now', {
        'due within five minutes, or waiting': 'max(daybell_occurrences_due_soon)',
        'due and unclaimed': 'max(daybell_occurrences_backlog)',
        'being sent': 'max(daybell_occurrences_leased)',
        'waiting for a retry': 'max(daybell_occurrences_retrying)',
      }),
      graph('Requests a second, by what they were judged to be', {
        '{{verdict}} {{status_class}}': rate(
          'daybell_delivery_attempts_total',
          'verdict, status_class',
        ),
        throttled: rate('daybell_receiver_throttled_total'),
      }),
      graph('Open requests', {
        '{{instance}}': 'daybell_delivery_requests_open',
        'may be, {{instance}}': 'daybell_delivery_requests_limit',
      }),
      graph(
        'How long the receiver takes',
        { '95 %': quantile(0.95, 'daybell_delivery_attempt_duration_seconds') },
        { unit: 's' },
      ),
    ],
  },
  {
    title: 'Never miss',
    panels: [
      stat('Dead letters', 'max(daybell_dead_letters)', { badFrom: 1 }),
      stat('Blocked', 'max(daybell_occurrences_blocked)', { badFrom: 1 }),
      stat('Missed, unrepaired', 'max(daybell_missed_unrepaired)', { badFrom: 1 }),
      stat('Late, never attempted', 'max(daybell_backlog_remaining)', { badFrom: 1 }),
      stat('Last backlog took', 'max(daybell_backlog_last_duration_seconds)', { unit: 's' }),
      stat('Paused', 'max(daybell_deliveries_paused)', { badFrom: 1 }),
      stat('Receiver slows', 'max(daybell_destination_slowed)', { badFrom: 1 }),
      stat('Parked', 'max(daybell_outbox_parked)', { badFrom: 1 }),
      graph('Missed, by what it is, in an hour', {
        '{{kind}}': 'sum by (kind) (increase(daybell_missed_detected_total[1h]))',
      }),
      graph('Outbox', {
        waiting: 'max(daybell_outbox_length)',
        'oldest, s': 'max(daybell_outbox_oldest_age_seconds)',
      }),
      graph('Plans and steps of reconciling a second', {
        'plans for the {{source}}, {{result}}': rate('daybell_plans_total', 'source, result'),
        'reconciling {{result}}': rate('daybell_reconcile_steps_total', 'result'),
      }),
    ],
  },
  {
    title: 'Temporal underneath',
    panels: [
      graph('Pollers, as Temporal sees them', {
        '{{kind}}': 'max by (kind) (daybell_task_queue_pollers)',
      }),
      graph('Slots in use', {
        '{{worker_type}}': 'sum by (worker_type) (temporal_worker_task_slots_used)',
        'free, {{worker_type}}': 'sum by (worker_type) (temporal_worker_task_slots_available)',
      }),
      graph(
        'Workflow tasks',
        {
          'waited, 95 %': quantile(
            0.95,
            'temporal_workflow_task_schedule_to_start_latency_seconds',
          ),
          'took, 95 %': quantile(0.95, 'temporal_workflow_task_execution_latency_seconds'),
        },
        { unit: 's' },
      ),
      graph('Calls of deliver a second', {
        '{{result}}': rate('daybell_deliver_calls_total', 'result'),
      }),
      graph('Requests to Temporal a second', {
        '{{operation}}': rate('temporal_request_total', 'operation'),
      }),
      graph('Sleeping workflows in the cache', { '{{instance}}': 'temporal_sticky_cache_size' }),
    ],
  },
  {
    title: 'Database underneath',
    panels: [
      graph(
        'Cores that statements keep busy',
        {
          busy: 'max(rate(daybell_database_active_seconds_total[$__rate_interval]))',
          'there are': 'max(daybell_database_cores)',
        },
        { description: 'With what waits for locks and for the disk.' },
      ),
      graph(
        'Connections in use, of those that may be',
        {
          '{{job}} {{instance}}':
            'rate(daybell_database_pool_busy_seconds_total[$__rate_interval]) / daybell_database_pool_size',
        },
        { unit: 'percentunit' },
      ),
      graph(
        'Claims and plans, 95 %',
        { '{{query}}': quantile(0.95, 'daybell_database_query_duration_seconds', 'query') },
        { unit: 's' },
      ),
    ],
  },
  {
    title: 'API and processes',
    panels: [
      graph('Requests a second', {
        '{{method}} {{route}} {{status}}': rate(
          'daybell_http_request_duration_seconds_count',
          'method, route, status',
        ),
      }),
      graph(
        'Requests under /v1, 95 %',
        {
          '95 %':
            'histogram_quantile(0.95, sum by (le) (rate(daybell_http_request_duration_seconds_bucket{route=~"/v1/.*"}[$__rate_interval])))',
        },
        { unit: 's' },
      ),
      graph('Cores in use', {
        '{{job}} {{instance}}': 'rate(process_cpu_seconds_total[$__rate_interval])',
      }),
      graph(
        'Memory',
        { '{{job}} {{instance}}': 'process_resident_memory_bytes' },
        { unit: 'bytes' },
      ),
      graph(
        'Event loop, 99 %',
        { '{{job}} {{instance}}': 'nodejs_eventloop_lag_p99_seconds' },
        { unit: 's' },
      ),
      graph('Processes, by tz database', {
        '{{version}}': 'count by (version) (daybell_tz_database_info)',
      }),
    ],
  },
];

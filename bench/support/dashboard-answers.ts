/** What a Prometheus answers to the queries of Grafana's dashboard. */
import type { Panel, Row } from '../../deploy/grafana/panels.ts';
import { queryRange, type Series, type TimeRange } from './prometheus-api.ts';

export interface AnsweredRow {
  readonly title: string;
  readonly panels: readonly AnsweredPanel[];
}

export interface AnsweredPanel {
  readonly panel: Panel;
  readonly series: readonly NamedSeries[];
}

export interface NamedSeries extends Series {
  /** The same as in the dashboard's legend. */
  readonly name: string;
}

/** Grafana's `$__rate_interval`, for scrapes once a second: four of them. */
const RATE_INTERVAL = '4s';

/** Instant queries are evaluated at the last moment. */
export function askRows(url: string, rows: readonly Row[], range: TimeRange) {
  return Promise.all(
    rows.map(async ({ title, panels }): Promise<AnsweredRow> => ({
      title,
      panels: await Promise.all(panels.map((panel) => askPanel(url, panel, range))),
    })),
  );
}

async function askPanel(url: string, panel: Panel, range: TimeRange): Promise<AnsweredPanel> {
  const answers = await Promise.all(
    panel.queries.map(async ({ expr, legend, instant = false }) => {
      const asked = expr.replaceAll('$__rate_interval', RATE_INTERVAL);
      const series = await queryRange(url, asked, instant ? { ...range, from: range.to } : range);
      return series.map(({ labels, points }) => ({ name: nameOf(legend, labels), labels, points }));
    }),
  );
  return { panel, series: answers.flat() };
}

function nameOf(legend: string, labels: Series['labels']): string {
  return legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
}

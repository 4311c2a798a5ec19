/** Grafana's dashboard as one page of SVG, of what a Prometheus answered: not how Grafana draws it. */
import type { Panel } from '../../deploy/grafana/panels.ts';
import type { AnsweredPanel, AnsweredRow } from '../support/dashboard-answers.ts';
import type { TimeRange } from '../support/prometheus-api.ts';
import { graphPanel, heightOfGraph } from './graph-panel.ts';
import { barPanel, statPanel } from './number-panels.ts';
import type { Box } from './panel-frame.ts';
import { page, text } from './svg.ts';

export interface DashboardPage {
  readonly title: string;
  /** Below the title, a line each. */
  readonly remarks: readonly string[];
  readonly rows: readonly AnsweredRow[];
  readonly range: TimeRange;
  /** What all times are counted from, epoch ms. */
  readonly instant: number;
}

const WIDTH = 1200;
const MARGIN = 20;
const GAP = 16;
const REMARK_HEIGHT = 19;
const HEADING_HEIGHT = 38;
/** Beside each other, as on the dashboard. */
const BESIDE = { stat: 8, barchart: 1, timeseries: 3 } as const;
const STAT_HEIGHT = 62;
const BARS_HEIGHT = 190;

export function dashboardChart({ title, remarks, rows, range, instant }: DashboardPage): string {
  const parts = [text(MARGIN, 38, title, 'start', 22)];
  let top = 46;
  for (const remark of remarks) {
    top += REMARK_HEIGHT;
    parts.push(text(MARGIN, top, remark, 'start', 13, '#444'));
  }
  for (const row of rows) {
    top += HEADING_HEIGHT;
    parts.push(text(MARGIN, top, row.title, 'start', 17));
    top += GAP - 4;
    for (const panels of linesOf(row.panels)) {
      const height = Math.max(...panels.map(heightOf));
      for (const [column, answered] of panels.entries()) {
        const box = boxOf(answered.panel.kind, column, top, height);
        parts.push(drawn(answered, box, { range, instant }));
      }
      top += height + GAP;
    }
    top -= GAP;
  }
  return page(WIDTH, top + MARGIN, parts);
}

/** As many of a kind as are beside each other. */
function linesOf(panels: readonly AnsweredPanel[]): AnsweredPanel[][] {
  const lines: AnsweredPanel[][] = [];
  for (const answered of panels) {
    const { kind } = answered.panel;
    const last = lines.at(-1);
    const isFull = last === undefined || last.length === BESIDE[kind];
    if (isFull || last[0]?.panel.kind !== kind) lines.push([answered]);
    else last.push(answered);
  }
  return lines;
}

function heightOf({ panel, series }: AnsweredPanel): number {
  if (panel.kind === 'stat') return STAT_HEIGHT;
  return panel.kind === 'barchart' ? BARS_HEIGHT : heightOfGraph(series);
}

function boxOf(kind: Panel['kind'], column: number, top: number, height: number): Box {
  const beside = BESIDE[kind];
  const width = (WIDTH - 2 * MARGIN - (beside - 1) * GAP) / beside;
  return { left: MARGIN + column * (width + GAP), top, width, height };
}

function drawn(
  answered: AnsweredPanel,
  box: Box,
  times: Pick<DashboardPage, 'range' | 'instant'>,
): string {
  if (answered.panel.kind === 'stat') return statPanel(answered, box);
  if (answered.panel.kind === 'barchart') return barPanel(answered, box);
  return graphPanel(answered, box, times);
}

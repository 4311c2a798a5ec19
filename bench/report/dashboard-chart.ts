/**
 * Grafana's dashboard as one page of SVG, from a Prometheus' answers; Grafana itself draws it
 * differently.
 */
import type { Panel } from '../../deploy/grafana/panels.ts';
import type { AnsweredPanel, AnsweredRow } from '../support/dashboard-answers.ts';
import {
  barPanel,
  graphPanel,
  type GraphTimes,
  heightOfGraph,
  statPanel,
} from './dashboard-panels.ts';
import { type Box, picture, words } from './picture.ts';

export interface DashboardPage extends GraphTimes {
  readonly title: string;
  /** Below the title, a line each. */
  readonly remarks: readonly string[];
  readonly rows: readonly AnsweredRow[];
}

const WIDTH = 1200;
const MARGIN = 20;
const GAP = 16;
const REMARK_HEIGHT = 19;
const HEADING_HEIGHT = 38;
/** How many panels are side by side, as on the dashboard. */
const BESIDE = { stat: 8, barchart: 1, timeseries: 3 } as const;
const STAT_HEIGHT = 62;
const BARS_HEIGHT = 210;

export async function dashboardChart({
  title,
  remarks,
  rows,
  ...times
}: DashboardPage): Promise<string> {
  const parts = [words(title, { left: MARGIN, top: 38, size: 22 })];
  let top = 46;
  for (const remark of remarks) {
    top += REMARK_HEIGHT;
    parts.push(words(remark, { left: MARGIN, top, size: 13 }));
  }
  for (const row of rows) {
    top += HEADING_HEIGHT;
    parts.push(words(row.title, { left: MARGIN, top, size: 17 }));
    top += GAP - 4;
    for (const panels of linesOf(row.panels)) {
      const height = Math.max(...panels.map(heightOf));
      for (const [column, answered] of panels.entries()) {
        const box = boxOf(answered.panel.kind, column, top, height);
        parts.push(await drawn(answered, box, times));
      }
      top += height + GAP;
    }
    top -= GAP;
  }
  return picture(WIDTH, top + MARGIN, parts);
}

/** Groups as many panels of a kind as fit side by side. */
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

function drawn(answered: AnsweredPanel, box: Box, times: GraphTimes): string | Promise<string> {
  if (answered.panel.kind === 'stat') return statPanel(answered, box);
  if (answered.panel.kind === 'barchart') return barPanel(answered, box);
  return graphPanel(answered, box, times);
}

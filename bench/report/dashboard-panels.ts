/**
 * The panels of the dashboard's page: a number, bars, or lines with a legend of the maximum and the
 * last.
 */
import { barChart } from '../../src/charts/bar-chart.ts';
import { lineChart } from '../../src/charts/line-chart.ts';
import { SERIES_COLOURS } from '../../src/charts/render.ts';
import type { AnsweredPanel, NamedSeries } from '../support/dashboard-answers.ts';
import type { TimeRange } from '../support/prometheus-api.ts';
import { amount } from './amount.ts';
import { type Box, placed, words } from './picture.ts';

export interface GraphTimes {
  readonly range: TimeRange;
  /** The instant that all times count from, epoch ms. */
  readonly instant: number;
}

const BAD = '#d0021b';
const PLOT_HEIGHT = 170;
const LEGEND_LINE = 20;
const MOST_LINES = SERIES_COLOURS.length;

export function heightOfGraph(series: readonly NamedSeries[]): number {
  return PLOT_HEIGHT + Math.min(series.length, MOST_LINES + 1) * LEGEND_LINE;
}

export function statPanel({ panel, series }: AnsweredPanel, { left, top, width }: Box): string {
  const value = series[0]?.points.at(-1)?.[1];
  const isBad = panel.badFrom !== undefined && value !== undefined && value >= panel.badFrom;
  const middle = { left: left + width / 2, anchor: 'middle' } as const;
  return [
    words(panel.title, { ...middle, top: top + 19, size: 12 }),
    words(amount(value, panel.unit), {
      ...middle,
      top: top + 48,
      size: 23,
      ...(isBad && { fill: BAD }),
    }),
  ].join('');
}

/** A group of bars for each value of `in_hours`, a bar for each query. */
export async function barPanel({ panel, series }: AnsweredPanel, box: Box): Promise<string> {
  const names = [...new Set(series.map(({ name }) => name))];
  const hours = [...new Set(series.map(hourOf))].toSorted((one, other) => one - other);
  const chart = await barChart({
    title: panel.title,
    drawTitle: true,
    width: box.width,
    height: box.height,
    grouped: true,
    slots: hours.map((hour) => `in ${hour} h`),
    series: names.map((name) => {
      const own = series.filter((one) => one.name === name);
      const values = hours.map((hour) => lastOf(own.find((one) => hourOf(one) === hour)) ?? 0);
      return { name, values, legend: `${name}: ${amount(Math.max(...values))} at the most` };
    }),
  });
  return placed(chart, box);
}

export async function graphPanel(
  { panel, series }: AnsweredPanel,
  box: Box,
  { range, instant }: GraphTimes,
): Promise<string> {
  const { unit } = panel;
  const seconds = (at: number): number => (at - instant) / 1_000;
  // The most important series have the first colours; if there are more series than colours, the
  // smallest are grey.
  const sorted = series.toSorted((one, other) => mostOf(other) - mostOf(one));
  const named = sorted.length > MOST_LINES ? MOST_LINES - 1 : sorted.length;
  const chart = await lineChart({
    title: panel.title,
    drawTitle: true,
    width: box.width,
    height: box.height,
    lines: sorted.map((one, nth) => {
      const most = `most ${amount(mostOf(one), unit)}`;
      const own = `${one.name}: ${most}, last ${amount(lastOf(one), unit)}`;
      const rest = nth === named ? `${sorted.length - named} more: ${most}` : undefined;
      return {
        name: one.name,
        points: one.points.map(([at, value]) => [seconds(at), value] as const),
        faint: nth >= named,
        legend: nth < named ? own : rest,
      };
    }),
    x: {
      min: Math.floor(seconds(range.from) / 10) * 10,
      max: Math.ceil(seconds(range.to) / 10) * 10,
      format: (at) => `${at} s`,
    },
    y: { min: 0, format: (value) => amount(value, unit) },
    marks: [{ x: 0, label: 'due' }],
  });
  return placed(chart, box);
}

function hourOf({ labels }: NamedSeries): number {
  return Number(labels['in_hours'] ?? 0);
}

function mostOf(series: NamedSeries): number {
  return Math.max(0, ...numbersOf(series));
}

/** The last measured value: without requests, there is no duration. */
function lastOf(series: NamedSeries | undefined): number | undefined {
  return series && numbersOf(series).at(-1);
}

function numbersOf({ points }: NamedSeries): number[] {
  return points.map(([, value]) => value).filter((value) => Number.isFinite(value));
}

/** A panel of the dashboard's page that has lines over time, and a legend with the most and the last. */
import type { AnsweredPanel, NamedSeries } from '../support/dashboard-answers.ts';
import type { TimeRange } from '../support/prometheus-api.ts';
import { amount, axisEnd } from './amount.ts';
import {
  type Box,
  FAINT,
  grid,
  lastOf,
  LEGEND_LINE,
  mark,
  mostOf,
  PAD,
  plotOf,
  TICKS_HEIGHT,
  TITLE_HEIGHT,
  titled,
} from './panel-frame.ts';
import { colour, line, text } from './svg.ts';

export interface GraphTimes {
  readonly range: TimeRange;
  readonly instant: number;
}

const PLOT_HEIGHT = 104;
/** As many as there are colours; of more, the last line tells of the rest, which is grey. */
const MOST_LINES = 7;
const REST = '#bbb';

export function heightOfGraph(series: readonly NamedSeries[]): number {
  const lines = Math.min(series.length, MOST_LINES);
  return TITLE_HEIGHT + PLOT_HEIGHT + TICKS_HEIGHT + (lines + 1) * LEGEND_LINE + PAD;
}

export function graphPanel(
  { panel, series }: AnsweredPanel,
  box: Box,
  { range, instant }: GraphTimes,
): string {
  const { unit } = panel;
  // What matters most has the first colours.
  const sorted = series.toSorted((one, other) => mostOf(other) - mostOf(one));
  const end = axisEnd(Math.max(0, ...sorted.map(mostOf)));
  const plot = plotOf({ ...box, height: PLOT_HEIGHT });
  const x = (at: number): number =>
    plot.left + ((at - range.from) / (range.to - range.from)) * plot.width;
  const y = (value: number): number => plot.top + plot.height * (1 - value / end);
  const bottom = plot.top + plot.height;

  const ticks = ticksOf(range, instant).map((at) => {
    const words = `${Math.round((at - instant) / 1_000)} s`;
    return (
      line(x(at), plot.top, x(at), bottom, at === instant ? '#666' : '#ddd') +
      text(x(at), bottom + 15, words, 'middle', 11, FAINT)
    );
  });
  const named = namedOf(sorted);
  const lines = sorted.map((one, nth) => {
    const runs = runsOf(one.points.map(([at, value]) => [x(at), y(value)] as const));
    return runs.map((run) => polyline(run, nth < named.length ? colour(nth) : REST)).join('');
  });
  return [
    titled(box, panel.title),
    ...grid(plot, end, unit),
    ...ticks,
    // The first on top.
    ...lines.toReversed(),
    ...legendOf(sorted, unit, { ...box, top: bottom + TICKS_HEIGHT + LEGEND_LINE - 4 }),
  ].join('');
}

function legendOf(series: readonly NamedSeries[], unit: string | undefined, box: Box): string[] {
  const right = box.left + box.width - PAD;
  const row = (top: number, name: string, most: string, last: string, fill: string): string =>
    text(box.left + PAD + 16, top, name, 'start', 12, fill) +
    text(right - 74, top, most, 'end', 12, fill) +
    text(right, top, last, 'end', 12, fill);
  const named = namedOf(series);
  const rest = series.slice(named.length);
  return [
    row(box.top, '', 'most', 'last', FAINT),
    ...named.map((one, nth) => {
      const top = box.top + (nth + 1) * LEGEND_LINE;
      const words = [amount(mostOf(one), unit), amount(lastOf(one), unit)] as const;
      return mark(box.left + PAD, top, nth) + row(top, one.name, ...words, '#000');
    }),
    ...(rest.length === 0
      ? []
      : [
          row(
            box.top + (named.length + 1) * LEGEND_LINE,
            `${rest.length} more, at the most`,
            amount(Math.max(...rest.map(mostOf)), unit),
            '',
            FAINT,
          ),
        ]),
  ];
}

/** Those that have a line of the legend of their own. */
const namedOf = (series: readonly NamedSeries[]): readonly NamedSeries[] =>
  series.length > MOST_LINES ? series.slice(0, MOST_LINES - 1) : series;

/** At full steps from the instant, six of them at the most; epoch ms. */
function ticksOf({ from, to }: TimeRange, instant: number): number[] {
  const stepMs = [10_000, 20_000, 30_000, 60_000, 120_000, 300_000].find(
    (step) => (to - from) / step <= 6,
  );
  if (stepMs === undefined) return [instant];
  const first = Math.ceil((from - instant) / stepMs);
  const last = Math.floor((to - instant) / stepMs);
  return Array.from({ length: last - first + 1 }, (_, nth) => instant + (first + nth) * stepMs);
}

type Place = readonly [x: number, y: number];

/** Without what is no number, and without places between two of the same height. */
function runsOf(places: readonly Place[]): Place[][] {
  const runs: Place[][] = [];
  let isOpen = false;
  for (const place of places) {
    const [, y] = place;
    if (!Number.isFinite(y)) {
      isOpen = false;
      continue;
    }
    const run = isOpen ? runs.at(-1) : undefined;
    if (run === undefined) runs.push([place]);
    else if (run.at(-1)?.[1] === y && run.at(-2)?.[1] === y) run[run.length - 1] = place;
    else run.push(place);
    isOpen = true;
  }
  return runs;
}

function polyline(run: readonly Place[], stroke: string): string {
  const [first] = run;
  // One alone would not be seen.
  const places = run.length === 1 && first ? [first, [first[0] + 1.5, first[1]] as const] : run;
  const points = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
  return `<polyline fill="none" stroke="${stroke}" stroke-width="1.6" points="${points.join(' ')}"/>`;
}

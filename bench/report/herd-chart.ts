/** Deliveries over time as SVG: a line for each contender, time on a logarithmic axis. */
import type { HerdResult } from '../support/herd-result.ts';
import { colour, line, page, text } from './svg.ts';
import { duration } from './table.ts';

const WIDTH = 860;
const HEIGHT = 460;
const MARGIN = { top: 48, right: 190, bottom: 52, left: 64 };
const PLOT = {
  width: WIDTH - MARGIN.left - MARGIN.right,
  height: HEIGHT - MARGIN.top - MARGIN.bottom,
};
const SHORTEST_MS = 10;
/** A line of a hundred thousand points looks the same with some hundred. */
const MOST_POINTS = 400;

/** Of one size of herd. */
export function herdChart(results: readonly HerdResult[], title: string): string {
  const users = Math.max(...results.map((result) => result.users));
  const longestMs = Math.max(1_000, ...results.map(({ arrivalsMs }) => arrivalsMs.at(-1) ?? 0));
  const decades = Math.ceil(Math.log10(longestMs / SHORTEST_MS));
  const x = (ms: number): number =>
    MARGIN.left + (Math.log10(Math.max(ms, SHORTEST_MS) / SHORTEST_MS) / decades) * PLOT.width;
  const y = (count: number): number => MARGIN.top + PLOT.height * (1 - count / users);

  const grid = [
    ...Array.from({ length: decades + 1 }, (_, decade) => {
      const ms = SHORTEST_MS * 10 ** decade;
      return `${line(x(ms), MARGIN.top, x(ms), MARGIN.top + PLOT.height)}${text(x(ms), HEIGHT - 30, tick(ms), 'middle')}`;
    }),
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const at = y(share * users);
      return `${line(MARGIN.left, at, MARGIN.left + PLOT.width, at)}${text(MARGIN.left - 8, at + 4, String(Math.round(share * users)), 'end')}`;
    }),
  ];
  const lines = results.map(({ arrivalsMs }, index) => {
    const points = thinned(arrivalsMs).map(
      ([ms, count]) => `${x(ms).toFixed(1)},${y(count).toFixed(1)}`,
    );
    const [first] = arrivalsMs;
    const start = first === undefined ? [] : [`${x(first).toFixed(1)},${y(0).toFixed(1)}`];
    return `<polyline fill="none" stroke="${colour(index)}" stroke-width="2" points="${[...start, ...points].join(' ')}"/>`;
  });
  const legend = results.map((result, index) => {
    const top = MARGIN.top + 14 + index * 34;
    const left = MARGIN.left + PLOT.width + 16;
    return [
      `<rect x="${left}" y="${top - 9}" width="12" height="12" fill="${colour(index)}"/>`,
      text(left + 18, top + 1, result.contender, 'start'),
      text(left + 18, top + 15, summaryOf(result), 'start', 11),
    ].join('');
  });
  return page(WIDTH, HEIGHT, [
    text(MARGIN.left, 26, title, 'start', 15),
    ...grid,
    text(MARGIN.left + PLOT.width / 2, HEIGHT - 10, 'after the instant (logarithmic)', 'middle'),
    ...lines,
    ...legend,
  ]);
}

function tick(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}

function summaryOf({ stopped, delivered, users, latenessMs }: HerdResult): string {
  return stopped ? `${delivered} of ${users}, stopped` : `p99 ${duration(latenessMs?.p99)}`;
}

/** Points of the line, each with how many had come by then; the last is always among them. */
function thinned(arrivalsMs: readonly number[]): [ms: number, count: number][] {
  const step = Math.max(1, Math.floor(arrivalsMs.length / MOST_POINTS));
  return arrivalsMs
    .map((ms, index): [number, number] => [ms, index + 1])
    .filter(([, count]) => count % step === 0 || count === arrivalsMs.length);
}

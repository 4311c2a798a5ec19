/** Deliveries over time as SVG: a line for each contender, time on a logarithmic axis. */
import { lineChart } from '../../src/charts/line-chart.ts';
import type { HerdResult } from '../support/herd-result.ts';
import { picture } from './picture.ts';
import { duration } from './table.ts';

const WIDTH = 860;
const HEIGHT = 480;
const SHORTEST_MS = 10;

/** For one size of herd. */
export async function herdChart(results: readonly HerdResult[], title: string): Promise<string> {
  const users = Math.max(...results.map((result) => result.users));
  const longestMs = Math.max(1_000, ...results.map(({ arrivalsMs }) => arrivalsMs.at(-1) ?? 0));
  const chart = await lineChart({
    title: `${title}, by the time after it (logarithmic)`,
    drawTitle: true,
    width: WIDTH,
    height: HEIGHT,
    lines: results.map((result) => ({
      name: result.contender,
      legend: `${result.contender}: ${summaryOf(result)}`,
      points: [
        ...result.arrivalsMs.slice(0, 1).map((ms) => [ms, 0] as const),
        ...result.arrivalsMs.map((ms, index) => [ms, index + 1] as const),
      ],
    })),
    x: {
      scale: 'log',
      min: SHORTEST_MS,
      max: 10 ** Math.ceil(Math.log10(longestMs)),
      format: (ms) => (ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`),
    },
    y: { min: 0, max: users, step: users / 4, format: (count) => String(Math.round(count)) },
  });
  return picture(WIDTH, HEIGHT, [chart]);
}

function summaryOf({ stopped, delivered, users, latenessMs }: HerdResult): string {
  return stopped ? `${delivered} of ${users}, stopped` : `p99 ${duration(latenessMs?.p99)}`;
}

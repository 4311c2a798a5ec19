/** How late the occurrences of one instant were sent. */
import { lineChart } from './line-chart.ts';
import type { ChartFrame } from './render.ts';

export interface LatenessChart extends ChartFrame {
  /** How many were late by so many seconds, in any order. For a group, by its largest. */
  readonly lateness: readonly { readonly seconds: number; readonly count: number }[];
}

/** Where the logarithmic axis begins: lower values are drawn there. */
const SHORTEST_SECONDS = 0.01;
const PERCENTILES = [50, 95, 99] as const;

/** Draws the share that had been sent by then, with the median and the slowest marked. */
export function latenessChart({ lateness, description, ...frame }: LatenessChart): Promise<string> {
  const sorted = lateness
    .filter(({ count }) => count > 0)
    .toSorted((one, other) => one.seconds - other.seconds);
  let sent = 0;
  const steps = sorted.map(({ seconds, count }) => ({ seconds, sent: (sent += count) }));
  const shareOf = (count: number): number => (count / sent) * 100;
  const marks = PERCENTILES.flatMap((percent) => {
    const { seconds } = steps.find((step) => shareOf(step.sent) >= percent) ?? {};
    return seconds === undefined ? [] : [{ x: seconds, label: `p${percent} ${duration(seconds)}` }];
  });
  const [first] = steps;
  const start = first === undefined ? [] : [[first.seconds, 0] as const];
  const words = marks.map(({ label }) => label).join(', ');
  return lineChart({
    ...frame,
    description: description ?? (sent === 0 ? 'Nothing was sent.' : `${sent} sent. ${words}`),
    lines: [
      {
        name: 'sent',
        stepped: true,
        points: [...start, ...steps.map((step) => [step.seconds, shareOf(step.sent)] as const)],
      },
    ],
    x: {
      scale: 'log',
      min: SHORTEST_SECONDS,
      max: 10 ** Math.ceil(Math.log10(Math.max(10, steps.at(-1)?.seconds ?? 0))),
      format: duration,
    },
    y: { min: 0, max: 100, step: 25, format: (percent) => `${percent} %` },
    marks: marks.map(({ x, label }) => ({ x: Math.max(x, SHORTEST_SECONDS), label })),
  });
}

/** Such as `10 ms`, `1.2 s`, `3 min` or `27.8 h`. */
function duration(seconds: number): string {
  const [value, unit] =
    seconds < 1
      ? [seconds * 1_000, 'ms']
      : seconds <= 100
        ? [seconds, 's']
        : seconds < 7_200
          ? [seconds / 60, 'min']
          : [seconds / 3_600, 'h'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

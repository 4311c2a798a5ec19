/** Lines over a number, such as the time since an instant. */
import { AXIS, type ChartFrame, renderChart } from './render.ts';

export interface LineChart extends ChartFrame {
  readonly lines: readonly Line[];
  readonly x: Axis;
  readonly y: Axis;
  /** Vertical lines. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[] | undefined;
}

export interface Line {
  readonly name: string;
  /** In the order of `x`. A `y` that is NaN interrupts the line. */
  readonly points: readonly Point[];
  /** In the legend instead of the name. */
  readonly legend?: string | undefined;
  /** Keeps its height until the next point. */
  readonly stepped?: boolean | undefined;
  /** Behind the others, in grey, and in the legend only if `legend` is given. */
  readonly faint?: boolean | undefined;
}

export type Point = readonly [x: number, y: number];

export interface Axis {
  readonly format: (value: number) => string;
  /** Logarithmic axes begin above 0: values below `min` are drawn there. */
  readonly scale?: 'linear' | 'log' | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Between two labels of the axis. */
  readonly step?: number | undefined;
}

/** Between the labels of marks that are close to each other. */
const MARK_LINE = 14;

export function lineChart({ lines, x, y, marks = [], ...frame }: LineChart): Promise<string> {
  const entries = lines.flatMap(({ name, legend, faint = false }, nth) =>
    legend === undefined && (faint || lines.length === 1)
      ? []
      : [[key(nth), legend ?? name] as const],
  );
  return renderChart(frame, {
    legend: new Map(entries),
    spaceAbove: marks.length * MARK_LINE,
    xAxis: axisOf(x),
    yAxis: { ...axisOf(y), splitNumber: 3 },
    series: [
      ...lines.map((line, nth) => seriesOf(key(nth), line, x)),
      {
        type: 'line' as const,
        silent: true,
        data: [],
        markLine: {
          silent: true,
          symbol: 'none',
          animation: false,
          lineStyle: { color: 'currentColor', opacity: 0.7, type: 'dashed' as const },
          data: marks.map(({ x: at, label }, nth) => ({
            xAxis: at,
            label: {
              formatter: label,
              color: 'currentColor',
              distance: 4 + (marks.length - 1 - nth) * MARK_LINE,
            },
          })),
        },
      },
    ],
  });
}

function axisOf({ format, scale = 'linear', min, max, step }: Axis) {
  return {
    ...AXIS,
    type: scale === 'log' ? ('log' as const) : ('value' as const),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(step === undefined ? {} : { interval: step }),
    axisLabel: { ...AXIS.axisLabel, formatter: format },
  };
}

/** ECharts takes two series with the same name for one. */
const key = (nth: number): string => String(nth);

function seriesOf(
  name: string,
  { points, stepped = false, faint = false }: Line,
  { scale, min = 0 }: Axis,
) {
  const start = scale === 'log' ? min : Number.NEGATIVE_INFINITY;
  return {
    type: 'line' as const,
    name,
    silent: true,
    clip: false,
    // No more points than the eye can see.
    sampling: 'lttb' as const,
    symbol: 'none',
    lineStyle: { width: 1.8 },
    ...(stepped ? { step: 'end' as const } : {}),
    ...(faint ? { color: '#808080', lineStyle: { width: 1, opacity: 0.5 }, z: 1 } : {}),
    data: points.map(([x, y], nth) => ({
      value: [Math.max(x, start), y],
      ...(isAlone(points, nth) ? { symbol: 'circle', symbolSize: 3 } : {}),
    })),
  };
}

/** A point without neighbours makes no line: it would be invisible. */
function isAlone(points: readonly Point[], nth: number): boolean {
  const isThere = (at: number): boolean => Number.isFinite(points[at]?.[1]);
  return isThere(nth) && !isThere(nth - 1) && !isThere(nth + 1);
}

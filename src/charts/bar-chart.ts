/** Bars over time, stacked by kind or side by side. */
import { letterWidth } from './font.ts';
import { AXIS, type ChartFrame, renderChart, SERIES_COLOURS, WIDTH } from './render.ts';

export interface BarChart extends ChartFrame {
  /**
   * The label of each bar, from left to right, such as an hour or a day; drawn where there is room.
   */
  readonly slots: readonly string[];
  /** One value per slot for each series. Beyond seven series, the smallest are added up. */
  readonly series: readonly BarSeries[];
  /** Stacked unless `grouped`. */
  readonly grouped?: boolean | undefined;
  /** Formats a value, on the axis and in tooltips; by default with thousands separated. */
  readonly format?: ((value: number) => string) | undefined;
}

export interface BarSeries {
  readonly name: string;
  readonly values: readonly number[];
  /** In the legend instead of the name. */
  readonly legend?: string | undefined;
}

export function barChart({
  slots,
  series,
  grouped = false,
  format = (value) => value.toLocaleString('en'),
  ...frame
}: BarChart): Promise<string> {
  const drawn = withRestAddedUp(series);
  return renderChart(frame, {
    // ECharts takes two series with the same name for one.
    legend: new Map(drawn.map(({ name, legend }, nth) => [String(nth), legend ?? name])),
    xAxis: {
      type: 'category',
      data: [...slots],
      ...AXIS,
      axisLabel: { ...AXIS.axisLabel, ...labelAlignment(slots, frame) },
    },
    yAxis: {
      type: 'value',
      minInterval: 1,
      splitNumber: 3,
      ...AXIS,
      axisLabel: { ...AXIS.axisLabel, formatter: format },
    },
    series: drawn.map(({ values }, nth) => ({
      type: 'bar' as const,
      name: String(nth),
      data: [...values],
      ...(grouped ? {} : { stack: 'all' }),
      barCategoryGap: '25%',
      silent: true,
      clip: false,
    })),
    tooltip: (nth, index) => {
      const { name, values: { [index]: value } = [] } = drawn[nth] ?? {};
      return value === undefined ? undefined : `${slots[index]}, ${name}: ${format(value)}`;
    },
  });
}

/** Under a bar that is narrower than its label, the last label would reach beyond the drawing. */
function labelAlignment(slots: readonly string[], { width = WIDTH }: ChartFrame) {
  const widest = Math.max(0, ...slots.map(({ length }) => length * letterWidth()));
  return widest * slots.length > width ? { alignMaxLabel: 'right' as const } : {};
}

/** As many series as there are colours, in their order; the last one is the sum of the rest. */
function withRestAddedUp(series: readonly BarSeries[]): readonly BarSeries[] {
  if (series.length <= SERIES_COLOURS.length) return series;
  const largest = new Set(
    series
      .toSorted((one, other) => sum(other.values) - sum(one.values))
      .slice(0, SERIES_COLOURS.length - 1),
  );
  const rest = series.filter((one) => !largest.has(one));
  const length = Math.max(...rest.map(({ values }) => values.length));
  const values = Array.from({ length }, (_, index) =>
    sum(rest.map((one) => one.values[index] ?? 0)),
  );
  return [...series.filter((one) => largest.has(one)), { name: `${rest.length} others`, values }];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

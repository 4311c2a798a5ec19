/** Renders charts as SVG text that may stand in any page: see `renderChart`. */
import type { ChartOption } from './echarts.ts';
import { FONT_SIZE, letterWidth } from './font.ts';
import { escapeXml, plainSvg } from './plain-svg.ts';

/** What every chart has. */
export interface ChartFrame {
  /** For screen readers, and as the tooltip of the whole; drawn only if `drawTitle` says so. */
  readonly title: string;
  /** For screen readers: what the chart shows, in a sentence. */
  readonly description?: string | undefined;
  readonly drawTitle?: boolean | undefined;
  /** Units of the drawing: a page scales it. Text is 12 units high. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** Legible on a white and on a black background (3:1), and distinguishable if colour-blind. */
export const SERIES_COLOURS = [
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#B8860B',
  '#7A68C8',
  '#808080',
] as const;

const PADDING = 12;
const TITLE_HEIGHT = 26;
const LEGEND_LINE = 20;
export const WIDTH = 760;
const HEIGHT = 260;

/** What a chart adds to what all of them have; `legend` maps a series' name to its text. */
export interface ChartParts extends Omit<ChartOption, 'legend' | 'grid' | 'title'> {
  readonly legend: ReadonlyMap<string, string>;
  /** Above the plot, below the title. */
  readonly spaceAbove?: number;
  /** The tooltip of a bar, by series and place. */
  readonly tooltip?: (series: number, index: number) => string | undefined;
}

/**
 * Draws a chart. The SVG has no style, script, class of its own or id, so that it may stand in a page
 * under a strict Content-Security-Policy, and twice in one page. Text and lines are in `currentColor`.
 */
export async function renderChart(
  { title, description, drawTitle = false, width = WIDTH, height = HEIGHT }: ChartFrame,
  { legend, spaceAbove = 0, tooltip, ...option }: ChartParts,
): Promise<string> {
  const { drawByEcharts } = await import('./echarts.ts');
  const entries = [...legend.values()].map((words) => words.length * letterWidth() + 14 + 5 + 10);
  const legendHeight = legendLines(entries, width - 2 * PADDING) * LEGEND_LINE;
  const drawn = drawByEcharts(
    {
      animation: false,
      color: [...SERIES_COLOURS],
      title: {
        show: drawTitle,
        text: title,
        left: PADDING,
        top: 6,
        padding: 0,
        borderColor: 'currentColor',
        textStyle: { color: 'currentColor', fontSize: 14, fontWeight: 'normal' },
      },
      grid: {
        left: PADDING,
        right: PADDING + 8,
        top: PADDING + spaceAbove + (drawTitle ? TITLE_HEIGHT : 0),
        bottom: PADDING + legendHeight,
        outerBoundsMode: 'same',
        outerBoundsContain: 'axisLabel',
      },
      legend: {
        data: [...legend.keys()],
        left: PADDING,
        bottom: 4,
        width: width - 2 * PADDING,
        padding: 0,
        borderColor: 'currentColor',
        itemHeight: 10,
        itemWidth: 14,
        icon: 'rect',
        textStyle: { color: 'currentColor', fontSize: FONT_SIZE },
        formatter: (name) => legend.get(name) ?? name,
      },
      ...option,
    },
    width,
    height,
  );
  const words = description === undefined ? '' : `<desc>${escapeXml(description)}</desc>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" role="img" font-family="sans-serif">`,
    `<title>${escapeXml(title)}</title>${words}`,
    plainSvg(drawn, tooltip),
    '</svg>',
  ].join('\n');
}

/** How the lines of an axis look. */
export const AXIS = {
  axisLine: { onZero: false, lineStyle: { color: 'currentColor', opacity: 0.6 } },
  axisTick: { lineStyle: { color: 'currentColor', opacity: 0.6 } },
  axisLabel: { color: 'currentColor', hideOverlap: true },
  splitLine: { lineStyle: { color: 'currentColor', opacity: 0.15 } },
} as const;

/** For entries of these widths: ECharts starts a new line where one does not fit. */
function legendLines(entries: readonly number[], width: number): number {
  let lines = 0;
  let left = 0;
  for (const entry of entries) {
    if (lines === 0 || entry > left) {
      lines += 1;
      left = width;
    }
    left -= entry;
  }
  return lines;
}

/** ECharts with the parts that our charts use. Imported only at the first chart: see render.ts. */
import { init, setPlatformAPI, use, type ComposeOption } from 'echarts/core';
// From their own entry points: `echarts/charts` and `echarts/components` would load everything.
import 'echarts/lib/chart/bar';
import 'echarts/lib/chart/line';
import 'echarts/lib/component/gridSimple';
import 'echarts/lib/component/legendPlain';
import 'echarts/lib/component/markLine';
import 'echarts/lib/component/title';
import { SVGRenderer } from 'echarts/renderers';
import type { BarSeriesOption, LineSeriesOption } from 'echarts/charts';
import type {
  GridComponentOption,
  LegendComponentOption,
  TitleComponentOption,
} from 'echarts/components';

import { FONT_SIZE, letterWidth } from './font.ts';

export type ChartOption = ComposeOption<
  | BarSeriesOption
  | LineSeriesOption
  | GridComponentOption
  | LegendComponentOption
  | TitleComponentOption
>;

use(SVGRenderer);
setPlatformAPI({
  measureText: (text, font = '') => {
    const [, size = FONT_SIZE] = /([\d.]+)px/.exec(font) ?? [];
    return { width: text.length * letterWidth(Number(size)) };
  },
});

/** @returns SVG as ECharts writes it, with styles and ids of its own */
export function drawByEcharts(option: ChartOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption(option);
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

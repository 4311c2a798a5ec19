/** The panels of the dashboard's page that are of one moment: a number, or bars. */
import type { AnsweredPanel } from '../support/dashboard-answers.ts';
import { amount, axisEnd } from './amount.ts';
import {
  type Box,
  FAINT,
  grid,
  ground,
  lastOf,
  LEGEND_LINE,
  mark,
  PAD,
  plotOf,
  TICKS_HEIGHT,
  TITLE_HEIGHT,
  titled,
} from './panel-frame.ts';
import { colour, rectangle, text } from './svg.ts';

const BAD = '#b00020';

export function statPanel({ panel, series }: AnsweredPanel, box: Box): string {
  const value = series[0]?.points.at(-1)?.[1];
  const isBad = panel.badFrom !== undefined && value !== undefined && value >= panel.badFrom;
  const middle = box.left + box.width / 2;
  return [
    ground(box),
    text(middle, box.top + 19, panel.title, 'middle', 12, FAINT),
    text(middle, box.top + 48, amount(value, panel.unit), 'middle', 23, isBad ? BAD : '#000'),
  ].join('');
}

/** A group of bars for each value of `in_hours`, a bar for each query. */
export function barPanel({ panel, series }: AnsweredPanel, box: Box): string {
  const names = [...new Set(series.map(({ name }) => name))];
  const hours = [...new Set(series.map(({ labels }) => labels['in_hours'] ?? ''))].toSorted();
  const end = axisEnd(Math.max(0, ...series.map(lastOf)));
  const below = TICKS_HEIGHT + LEGEND_LINE + PAD;
  const plot = plotOf({ ...box, height: box.height - TITLE_HEIGHT - below });
  const slot = plot.width / hours.length;
  const width = (slot * 0.7) / names.length;
  const bars = series.map((one) => {
    const left = plot.left + slot * (hours.indexOf(one.labels['in_hours'] ?? '') + 0.15);
    const nth = names.indexOf(one.name);
    const height = (lastOf(one) / end) * plot.height;
    const top = plot.top + plot.height - height;
    return rectangle(left + nth * width, top, width, height, colour(nth));
  });
  const bottom = plot.top + plot.height;
  const ticks = hours.map((hour, index) =>
    text(plot.left + slot * (index + 0.5), bottom + 15, String(Number(hour)), 'middle', 11, FAINT),
  );
  const legend = names.map((name, nth) => {
    const left = plot.left + nth * 160;
    const of = series.filter((one) => one.name === name).map(lastOf);
    const words = `${name}: ${amount(Math.max(...of))} at the most`;
    return mark(left, bottom + 34, nth) + text(left + 16, bottom + 34, words, 'start');
  });
  return [
    titled(box, panel.title),
    ...grid(plot, end),
    ...bars,
    ...ticks,
    text(box.left + box.width - PAD, bottom + 34, 'hours from now', 'end', 11, FAINT),
    ...legend,
  ].join('');
}

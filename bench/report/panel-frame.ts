/** What the panels of the dashboard's page have in common. */
import type { NamedSeries } from '../support/dashboard-answers.ts';
import { amount } from './amount.ts';
import { colour, line, rectangle, text } from './svg.ts';

/** Of a panel on the page, in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const GROUND = '#f6f7f8';
export const FAINT = '#555';
export const PAD = 10;
export const TITLE_HEIGHT = 26;
export const TICKS_HEIGHT = 20;
export const LEGEND_LINE = 16;
/** For the words at the vertical axis. */
const AXIS_WIDTH = 60;

export const ground = ({ left, top, width, height }: Box): string =>
  rectangle(left, top, width, height, GROUND);

export const titled = (box: Box, title: string): string =>
  ground(box) + text(box.left + PAD, box.top + 18, title, 'start', 13);

/** Of the nth series, in a legend. */
export const mark = (left: number, top: number, nth: number): string =>
  rectangle(left, top - 9, 10, 10, colour(nth));

/** Where lines or bars are, below the title. */
export function plotOf({ left, top, width, height }: Box): Box {
  return {
    left: left + AXIS_WIDTH,
    top: top + TITLE_HEIGHT + 4,
    width: width - AXIS_WIDTH - PAD - 8,
    height: height - 4,
  };
}

export function grid({ left, top, width, height }: Box, end: number, unit?: string): string[] {
  return [0, 0.5, 1].map((share) => {
    const at = top + height * (1 - share);
    const words = amount(share * end, unit);
    return line(left, at, left + width, at) + text(left - 6, at + 4, words, 'end', 11, FAINT);
  });
}

export function mostOf(series: NamedSeries): number {
  return Math.max(0, ...numbersOf(series));
}

/** The last that was measured: of no requests, there is no duration. */
export function lastOf(series: NamedSeries): number {
  return numbersOf(series).at(-1) ?? Number.NaN;
}

function numbersOf({ points }: NamedSeries): number[] {
  return points.map(([, value]) => value).filter((value) => Number.isFinite(value));
}

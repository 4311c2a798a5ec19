import { expect, test } from 'vitest';

import { barChart } from './bar-chart.ts';
import { letterWidth } from './font.ts';
import { latenessChart } from './lateness-chart.ts';
import { lineChart } from './line-chart.ts';
import { SERIES_COLOURS } from './render.ts';

const HOSTILE = `<script>"&'</script>`;

const drawAll = () =>
  Promise.all([
    barChart({
      title: HOSTILE,
      description: HOSTILE,
      drawTitle: true,
      slots: ['08:00', HOSTILE],
      series: [
        { name: 'birthday', values: [1_200, 3] },
        { name: HOSTILE, values: [0, 4] },
      ],
    }),
    latenessChart({ title: 'Lateness', lateness: [{ seconds: 0.4, count: 3 }] }),
    lineChart({
      title: 'Lines',
      lines: [
        { name: HOSTILE, points: [[0, 1]] },
        {
          name: 'two',
          points: [
            [0, 1],
            [1, 2],
          ],
        },
      ],
      x: { format: String },
      y: { format: String },
      marks: [{ x: 0, label: HOSTILE }],
    }),
  ]);

test('a chart has nothing that a strict Content-Security-Policy refuses or that two charts would share', async () => {
  for (const svg of await drawAll()) {
    expect(svg).not.toMatch(/<(style|script|image|a|use|defs)\b/);
    expect(attributesOf(svg).filter((name) => !HARMLESS.has(name))).toEqual([]);
    expect(svg).not.toMatch(/url\(|NaN|Infinity|undefined/);
    expect(svg.match(/class="[^"]*"/g)).toEqual(['class="chart"']);
  }
});

test('the same data always give the same picture', async () => {
  expect(await drawAll()).toEqual(await drawAll());
});

test('screen readers get a title and a description, and data cannot become markup', async () => {
  const [bars = '', lateness = ''] = await drawAll();
  expect(bars).toContain('role="img"');
  const escaped = `&lt;script&gt;"&amp;'&lt;/script&gt;`;
  expect(bars).toContain(`<title>${escaped}</title><desc>${escaped}</desc>`);
  expect(wordsOf(bars).filter((words) => words.includes('script'))).not.toEqual([]);
  expect(lateness).toContain('<desc>3 sent. p50 400 ms, p95 400 ms, p99 400 ms</desc>');
});

test('text and axes follow the page, series have colours of their own', async () => {
  for (const svg of await drawAll()) {
    const colours = [...svg.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, one = '']) => one);
    expect(colours.filter((one) => !KNOWN_COLOURS.has(one))).toEqual([]);
    const texts = [...svg.matchAll(/<text[^>]*>/g)].map(String);
    expect(texts.filter((text) => !text.includes('fill="currentColor"'))).toEqual([]);
  }
});

test('each bar says what it stands for, and how much', async () => {
  const svg = await barChart({
    title: 'Due by hour',
    slots: ['08:00', '09:00'],
    series: [
      { name: 'birthday', values: [0, 1_200] },
      { name: 'reminder', values: [2, 0] },
    ],
  });
  expect(svg).toContain('<title>09:00, birthday: 1,200</title>');
  expect(svg).toContain('<title>08:00, reminder: 2</title>');
  expect(wordsOf(svg)).toEqual(expect.arrayContaining(['08:00', '09:00', 'birthday', 'reminder']));
});

test.for([1, 2, 12, 24, 31, 61, 400])(
  'with %s bars each label is within the drawing',
  async (bars) => {
    const slots = Array.from({ length: bars }, (_, nth) =>
      new Date(Date.UTC(2027, 0, 1 + nth)).toISOString().slice(0, 10),
    );
    const svg = await barChart({ title: 'Due', slots, series: [{ name: 'a', values: [1] }] });
    for (const [left, right] of extentsOf(svg)) {
      expect(left).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(760);
    }
  },
);

test('more series than colours: the smallest are added up', async () => {
  const series = Array.from({ length: 9 }, (_, nth) => ({ name: `type-${nth}`, values: [nth] }));
  const svg = await barChart({ title: 'Due', slots: ['today'], series });
  expect(wordsOf(svg)).toEqual(expect.arrayContaining(['type-8', 'type-3', '3 others']));
  expect(wordsOf(svg)).not.toContain('type-2');
  expect(svg).toContain('<title>today, 3 others: 3</title>');
});

test('lateness by percentiles, of single values or of groups, in any order', async () => {
  const single = Array.from({ length: 100 }, (_, nth) => ({ seconds: 100 - nth, count: 1 }));
  const expected = '100 sent. p50 50 s, p95 95 s, p99 99 s';
  expect(await latenessChart({ title: 'One by one', lateness: single })).toContain(expected);
  const grouped = [
    { seconds: 3_600, count: 1 },
    { seconds: 0, count: 90 },
    { seconds: 1.25, count: 9 },
    { seconds: 9, count: 0 },
  ];
  const svg = await latenessChart({ title: 'In groups', lateness: grouped });
  expect(svg).toContain('100 sent. p50 0 ms, p95 1.25 s, p99 1.25 s');
  expect(wordsOf(svg)).toEqual(expect.arrayContaining(['p99 1.25 s', '10 ms', '2.78 h', '100 %']));
});

test('nothing to draw is a chart without lines', async () => {
  const empty = await latenessChart({ title: 'Lateness', lateness: [] });
  expect(empty).toContain('<desc>Nothing was sent.</desc>');
  expect(wordsOf(empty)).toContain('100 %');
  expect(wordsOf(await barChart({ title: 'Due', slots: [], series: [] }))).not.toContain('NaN');
});

// The black is the ground of titles and legends, and transparent.
const KNOWN_COLOURS = new Set(['none', 'currentColor', 'rgb(0,0,0)', ...SERIES_COLOURS]);

const HARMLESS = new Set(
  (
    'xmlns class viewBox role font-family x y width height d transform fill fill-opacity stroke ' +
    'stroke-opacity stroke-width stroke-linecap stroke-linejoin stroke-dasharray font-size ' +
    'text-anchor dominant-baseline'
  ).split(' '),
);

function attributesOf(svg: string): string[] {
  return [...svg.matchAll(/<\w+((?:\s+[\w:-]+="[^"]*")*)\s*>/g)].flatMap(([, text = '']) =>
    [...text.matchAll(/([\w:-]+)="/g)].map(([, name = '']) => name),
  );
}

/** The extent of each text that the drawing moves, such as a label of an axis. */
function extentsOf(svg: string): [left: number, right: number][] {
  return [...svg.matchAll(/<text([^>]*)translate\(([\d.]+)[^>]*>([^<]*)</g)].map(
    ([, attributes = '', x = '', words = '']) => {
      const width = words.length * letterWidth();
      const [, anchor = 'start'] = /text-anchor="(\w+)"/.exec(attributes) ?? [];
      const left = Number(x) - (anchor === 'end' ? width : anchor === 'middle' ? width / 2 : 0);
      return [left, left + width];
    },
  );
}

/** The text in the picture. */
function wordsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, words = '']) => words);
}

import { describe, expect, test } from 'vitest';

import type { Forecast } from './schema.ts';
import { forecastChart } from './chart.ts';

const BERLIN = { timezone: 'Europe/Berlin', due: 1_800 };
const EIGHT = '2027-05-20T08:00:00.000Z';

const NO_PLACEHOLDERS = { firstOfJanuary: 0, placeholderYears: 0 };
const FORECAST: Forecast = {
  from: '2027-05-20T06:30:00.000Z',
  to: '2027-05-20T09:30:00.000Z',
  forecastAt: '2027-05-20T06:30:00.000Z',
  settings: { localTime: '09:00', leapDayPolicy: 'feb28', tzVersion: '2026c' },
  due: 1_801,
  planned: 1_700,
  blocked: 0,
  suspended: 0,
  types: [],
  peaks: [{ at: EIGHT, due: 1_800, zones: [BERLIN], types: [], ...NO_PLACEHOLDERS }],
  hours: [
    { at: EIGHT, due: 1_800 },
    { at: '2027-05-20T09:00:00.000Z', due: 1 },
  ],
  minutes: null,
};

describe('the chart of a forecast', () => {
  test('has a bar for each hour, the smallest too, and names the fullest minutes', () => {
    expect(forecastChart(FORECAST)).toBe(
      `
2027-05-20 06:30Z to 2027-05-20 09:30Z: 1,801 due, 1,700 of them planned
by 09:00, feb28, tz 2026c

2027-05-20 06:00Z      0
2027-05-20 07:00Z      0
2027-05-20 08:00Z  1,800  ████████████████████████████████████████
2027-05-20 09:00Z      1  █

The fullest minutes:
  2027-05-20 08:00Z      1,800  Europe/Berlin 1,800
`.trimStart(),
    );
  });

  test('has a bar for each day when there are more than three', () => {
    const chart = forecastChart({ ...FORECAST, to: '2027-05-24T09:30:00.000Z' });
    expect(chart.match(/^2027-05-2\d {2}/gm)).toHaveLength(5);
    expect(chart).toMatch(/^2027-05-20 {2}1,801 {2}█{40}$/m);
  });

  test('says how many zones it does not name, and how many cannot be planned', () => {
    const zones = Array.from({ length: 6 }, (_, index) => ({ timezone: `Zone/${index}`, due: 1 }));
    const peaks = [{ at: EIGHT, due: 6, zones, types: [], ...NO_PLACEHOLDERS }];
    const chart = forecastChart({ ...FORECAST, peaks, blocked: 3, suspended: 2 });
    expect(chart).toContain('Zone/0 1, Zone/1 1, Zone/2 1, Zone/3 1, 2 more zones');
    expect(chart).toContain('3 more cannot be planned');
    expect(chart).toContain('2 more are suspended');
  });

  test('has a line for each type, if there are several', () => {
    const none = { planned: 0, blocked: 0, suspended: 0 };
    const types = [
      { type: 'anniversary', due: 1, ...none },
      { type: 'birthday', due: 1_800, ...none, planned: 1_700 },
    ];
    const chart = forecastChart({ ...FORECAST, types });
    expect(chart).toMatch(/^By type:\n {2}anniversary +1\n {2}birthday +1,800$/m);
    expect(forecastChart({ ...FORECAST, types: types.slice(1) })).not.toContain('By type');
  });

  test('has no peaks if no user is due', () => {
    const chart = forecastChart({ ...FORECAST, due: 0, planned: 0, peaks: [], hours: [] });
    expect(chart).not.toMatch(/fullest|█/);
  });
});

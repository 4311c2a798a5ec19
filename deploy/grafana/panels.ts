/** The little of Grafana's dashboard format (schema version 39) that Daybell's is made of. */

export interface Query {
  readonly expr: string;
  /** How its series are called; `{{label}}` is a label's value. */
  readonly legend: string;
  /** At this moment, instead of over the time that is looked at. */
  readonly instant?: boolean;
}

export interface Panel {
  readonly kind: 'stat' | 'timeseries' | 'barchart';
  readonly title: string;
  readonly description?: string;
  /** Of Grafana: `short`, `s`, `percentunit`, `ops`, …. */
  readonly unit?: string;
  /** From here on, the value is shown as bad. */
  readonly badFrom?: number;
  readonly queries: readonly Query[];
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export function stat(title: string, expr: string, options: Partial<Panel> = {}): Panel {
  return { kind: 'stat', title, queries: [{ expr, legend: '', instant: true }], ...options };
}

/** @param queries expressions by what their series are called */
export function graph(
  title: string,
  queries: Readonly<Record<string, string>>,
  options: Partial<Panel> = {},
): Panel {
  const named = Object.entries(queries).map(([legend, expr]) => ({ legend, expr }));
  return { kind: 'timeseries', title, queries: named, ...options };
}

/** A bar for each value of a label, at this moment. */
export function bars(
  title: string,
  queries: Readonly<Record<string, string>>,
  options: Partial<Panel> = {},
): Panel {
  const named = Object.entries(queries).map(([legend, expr]) => ({ legend, expr, instant: true }));
  return { kind: 'barchart', title, queries: named, ...options };
}

const WIDTH = 24;
const SIZES = {
  stat: { w: 3, h: 4 },
  timeseries: { w: 8, h: 8 },
  barchart: { w: 24, h: 8 },
} as const;
const SOURCE = { type: 'prometheus', uid: '${source}' };

/** The panels of all rows, placed from left to right, a heading above each row. */
export function layOut(rows: readonly Row[]): object[] {
  const placed: object[] = [];
  let y = 0;
  const id = () => placed.length + 1;
  for (const { title, panels } of rows) {
    placed.push({
      id: id(),
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of panels) {
      const { w, h } = SIZES[panel.kind];
      if (x + w > WIDTH) {
        x = 0;
        y += height;
        height = 0;
      }
      placed.push({ id: id(), gridPos: { x, y, w, h }, ...inGrafana(panel) });
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return placed;
}

function inGrafana({ kind, title, description, unit = 'short', badFrom, queries }: Panel): object {
  const steps = [
    { color: 'green', value: null },
    ...(badFrom === undefined ? [] : [{ color: 'red', value: badFrom }]),
  ];
  return {
    type: kind,
    title,
    ...(description !== undefined && { description }),
    datasource: SOURCE,
    fieldConfig: {
      defaults: { unit, min: 0, thresholds: { mode: 'absolute', steps } },
      overrides: [],
    },
    options: kind === 'stat' ? { reduceOptions: { calcs: ['lastNotNull'] } } : {},
    targets: queries.map(({ expr, legend, instant = false }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      ...(instant ? { instant: true, range: false } : { range: true }),
      ...(kind === 'barchart' && { format: 'table' }),
    })),
    // A bar for each hour: what the label says is its place.
    ...(kind === 'barchart' && {
      transformations: [
        { id: 'joinByField', options: { byField: 'in_hours', mode: 'outer' } },
        {
          id: 'organize',
          options: { excludeByName: { 'Time 1': true, 'Time 2': true, Time: true } },
        },
      ],
    }),
  };
}

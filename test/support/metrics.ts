/** Metrics as tests read them: the text format of Prometheus, version 0.0.4. */

export interface Metric {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Every metric of a page, by name. */
export function parseMetrics(page: string): Map<string, Metric> {
  const metrics = new Map<string, { type: string; help: string; samples: Sample[] }>();
  let current = { type: '', help: '', samples: [] as Sample[] };
  for (const line of page.split('\n')) {
    const [, keyword, name = '', text = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      current = { type: '', help: text, samples: [] };
      metrics.set(name, current);
    } else if (keyword === 'TYPE') {
      // Not every metric has a help text.
      current = metrics.get(name) ?? { type: '', help: '', samples: [] };
      metrics.set(name, current);
      current.type = text;
    } else if (line !== '' && !line.startsWith('#')) {
      current.samples.push(parseSample(line));
    }
  }
  return metrics;
}

/** The value of the only sample with this name and at least these labels; null if there is none. */
export function valueOf(
  page: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const found = [...parseMetrics(page).values()]
    .flatMap(({ samples }) => samples)
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  if (found.length > 1) throw new Error(`${name} has ${found.length} samples with these labels`);
  return found[0]?.value ?? null;
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = '', labels = '', value = ''] = match;
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text])),
    value: Number(value.replace('Inf', 'Infinity')),
  };
}

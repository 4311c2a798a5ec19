/** Queries a Prometheus, as Grafana does. */

export interface TimeRange {
  /** Epoch ms; for an instant query, both are the same. */
  readonly from: number;
  readonly to: number;
  readonly stepSeconds: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Epoch ms, and a number that may be NaN or infinite. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

/**
 * @param path below `/api/v1/`
 * @throws Error with Prometheus' own message if it does not answer the query
 */
export async function askPrometheus<Data>(url: string, path: string): Promise<Data> {
  const response = await fetch(`${url}/api/v1/${path}`);
  const { status, data, error } = (await response.json()) as Answer<Data>;
  if (status !== 'success') throw new Error(`${path}: ${error}`);
  return data;
}

export async function queryRange(url: string, expr: string, range: TimeRange): Promise<Series[]> {
  const params = new URLSearchParams({
    query: expr,
    start: String(range.from / 1_000),
    end: String(range.to / 1_000),
    step: String(range.stepSeconds),
  });
  const { result } = await askPrometheus<{ result: Matrix[] }>(url, `query_range?${params}`);
  return result.map(({ metric, values }) => ({
    labels: metric,
    points: values.map(([at, value]) => [at * 1_000, numberOf(value)] as const),
  }));
}

interface Answer<Data> {
  readonly status: string;
  readonly data: Data;
  readonly error?: string;
}

interface Matrix {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

/** `+Inf` and `-Inf` are Go's notation. */
function numberOf(value: string): number {
  return Number(value.replace('Inf', 'Infinity'));
}

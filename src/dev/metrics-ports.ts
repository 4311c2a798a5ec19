/** The processes that serve /metrics on a port of their own, in the order of METRICS_PORT, +1, …. */
export const MEASURED = ['api', 'worker', 'dispatcher', 'scheduler'] as const;

export type MeasuredProcess = (typeof MEASURED)[number];
/** The port of each; null when the API serves metrics on its own. */
export type MetricsPorts = Readonly<Record<MeasuredProcess, number>> | null;

/** The environment of one process: its own METRICS_PORT instead of the first. */
export function withMetricsPort(
  environment: NodeJS.ProcessEnv,
  name: string,
  metrics: MetricsPorts,
): NodeJS.ProcessEnv {
  const port = metrics?.[name as MeasuredProcess];
  return port === undefined ? environment : { ...environment, METRICS_PORT: String(port) };
}

/** For the banner: where all of them are. */
export function describeMetrics(api: string, host: string, metrics: MetricsPorts): string {
  if (metrics === null) return `${api}/metrics (set METRICS_PORT for those of all processes)`;
  return MEASURED.map((name) => `http://${host}:${metrics[name]}/metrics ${name}`).join(' · ');
}

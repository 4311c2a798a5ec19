export interface NpmFault {
  readonly name: string;
  readonly effect: string;
  readonly cure: string;
}
export function npmFaults(
  config: Readonly<Record<string, unknown>>,
  needsDev: boolean,
  nodeEnv?: string,
): NpmFault[];

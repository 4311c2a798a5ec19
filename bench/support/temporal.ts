/** The Temporal server that a bench uses. */
import type { Machine } from '../../src/platform/settings/machine.ts';
import type { ChildSpec } from '../../dev/child.ts';
import { freePorts } from '../../dev/ports.ts';
import { findTemporalBinary } from '../../dev/temporal/binary.ts';
import { findProductionPrograms } from '../../dev/temporal/production-programs.ts';
import { prepareProductionTemporal } from '../../dev/temporal/production.ts';
import { temporalServer } from '../../dev/temporal/server.ts';
import type { Progress } from './progress.ts';

/** The dev server of `npm start`, or the production server on PostgreSQL. */
export const TEMPORAL_KINDS = ['dev', 'postgres'] as const;
export type TemporalKind = (typeof TEMPORAL_KINDS)[number];

export interface BenchTemporal {
  readonly kind: TemporalKind;
  readonly address: string;
  /** To be started all at once. */
  readonly children: readonly ChildSpec[];
}

export interface BenchTemporalOptions {
  readonly temporal: TemporalKind;
  readonly machine: Machine;
  readonly dataDir: string;
  readonly postgresUrl: string;
  /** For the production server, like the next one: this many processes of each of its services. */
  readonly temporalNodes?: number;
  readonly historyShards?: number;
  readonly progress: Progress;
}

export async function prepareTemporal(options: BenchTemporalOptions): Promise<BenchTemporal> {
  const { temporal: kind, machine, dataDir, postgresUrl, temporalNodes, historyShards } = options;
  const onProgress = options.progress.say;
  const [port = 0, uiPort = 0] = await freePorts(2);
  const address = `127.0.0.1:${port}`;
  if (kind === 'dev') {
    const binary = await findTemporalBinary({ ...machine, onProgress });
    const place = { dataDir, port, uiPort, home: machine.home };
    return { kind, address, children: [temporalServer({ binary, ...place })] };
  }
  const programs = await findProductionPrograms({ ...machine, onProgress });
  const { children } = await prepareProductionTemporal({
    programs,
    dataDir,
    postgresUrl,
    port,
    onProgress,
    ...(temporalNodes !== undefined && { nodes: temporalNodes }),
    environment: historyShards === undefined ? {} : { NUM_HISTORY_SHARDS: String(historyShards) },
  });
  return { kind, address, children };
}

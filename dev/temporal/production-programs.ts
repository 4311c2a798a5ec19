/**
 * The production Temporal server, its schema tool and its Web UI, built with Go from their released
 * source: no download of a given version fits every machine.
 */
import { findGoProgram, type ProgramOptions } from '../programs.ts';

/** The version that Daybell is measured with. */
export const TEMPORAL_SERVER_VERSION = '1.32.0';
/** The newest version that builds with the Go that the server needs. */
export const TEMPORAL_UI_VERSION = '2.55.0';

export interface ProductionPrograms {
  readonly server: string;
  /** Creates and updates the schema in a SQL database. */
  readonly sqlTool: string;
}

/**
 * The paths of both, from the cache or built now. Two callers at once are safe.
 *
 * @throws StartError when they cannot be built
 */
export async function findProductionPrograms(options: ProgramOptions): Promise<ProductionPrograms> {
  const find = (name: string, goPackage: string) =>
    findGoProgram(name, goPackage, TEMPORAL_SERVER_VERSION, options);
  // One after the other: each build keeps all cores busy.
  const server = await find('temporal-server', 'go.temporal.io/server/cmd/server');
  return {
    server,
    sqlTool: await find('temporal-sql-tool', 'go.temporal.io/server/cmd/tools/sql'),
  };
}

/**
 * The path of the Web UI's server, from the cache or built now.
 *
 * @throws StartError when it cannot be built
 */
export function findTemporalUi(options: ProgramOptions): Promise<string> {
  const goPackage = 'github.com/temporalio/ui-server/v2/cmd/server';
  return findGoProgram('temporal-ui', goPackage, TEMPORAL_UI_VERSION, options);
}

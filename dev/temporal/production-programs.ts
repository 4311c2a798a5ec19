/**
 * The production Temporal server, its schema tool and its Web UI, built with Go from their released
 * source: there is no download of them by version that fits every machine.
 */
import { findGoProgram, type ProgramOptions } from '../programs.ts';

/** The version that Daybell is measured with. */
export const TEMPORAL_SERVER_VERSION = '1.32.0';
/** The newest that builds with the Go that the server needs. */
export const TEMPORAL_UI_VERSION = '2.55.0';

const SERVER = {
  name: 'temporal-server',
  goPackage: 'go.temporal.io/server/cmd/server',
  version: TEMPORAL_SERVER_VERSION,
  what: 'the Temporal server',
};
const SQL_TOOL = {
  name: 'temporal-sql-tool',
  goPackage: 'go.temporal.io/server/cmd/tools/sql',
  version: TEMPORAL_SERVER_VERSION,
  what: "the Temporal server's schema tool",
};
const UI = {
  name: 'temporal-ui',
  goPackage: 'github.com/temporalio/ui-server/v2/cmd/server',
  version: TEMPORAL_UI_VERSION,
  what: "Temporal's Web UI",
};

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
  // One after the other: each build keeps all cores busy.
  const server = await findGoProgram(SERVER, options);
  return { server, sqlTool: await findGoProgram(SQL_TOOL, options) };
}

/**
 * The path of the Web UI's server, from the cache or built now.
 *
 * @throws StartError when it cannot be built
 */
export function findTemporalUi(options: ProgramOptions): Promise<string> {
  return findGoProgram(UI, options);
}

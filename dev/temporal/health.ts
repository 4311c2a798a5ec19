import { Connection } from '@temporalio/client';

/** From `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
const SERVING = 1;
const ASK_LIMIT_MS = 2_000;

/**
 * Whether a service of the Temporal server answers and reports that it is serving. A
 * `HistoryService` does so a few seconds after it has acquired its shards.
 */
export async function isServing(address: string, service: string): Promise<boolean> {
  const connection = Connection.lazy({ address });
  try {
    const { status } = await connection.withDeadline(Date.now() + ASK_LIMIT_MS, () =>
      connection.healthService.check({ service: `temporal.api.workflowservice.v1.${service}` }),
    );
    return status === SERVING;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

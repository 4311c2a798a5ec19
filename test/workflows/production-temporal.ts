/** The production Temporal server on a PostgreSQL of its own, for a test file of its own. */
import { startProductionServer } from '../support/production-server.ts';
import { connectTo, type TestTemporal } from '../support/temporal.ts';

export async function startProductionTemporal(): Promise<TestTemporal> {
  const server = await startProductionServer();
  try {
    await server.untilReady(server.isReady);
    const temporal = await connectTo(server.address);
    return {
      ...temporal,
      async close() {
        await temporal.close();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

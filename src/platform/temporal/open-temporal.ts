import { findInstallationId } from '../database/health.ts';
import { describeError } from '../errors.ts';
import type { Orm } from '../database/orm.ts';
import { type ReadinessCheck, readinessCheck } from '../probes.ts';
import type { ServiceContext } from '../service.ts';
import { connectTemporal, type TemporalConnection } from './connection.ts';
import { createNamespaceGuard } from './namespace-guard.ts';

/** Opens Temporal, which may be down, and the guard of this installation's namespace. */
export function openTemporal({ settings, logger, fail, onStop }: ServiceContext, orm: Orm) {
  const temporal = connectTemporal(settings);
  const findId = () => findInstallationId(orm);
  const guard = createNamespaceGuard(temporal, findId, fail, (error) => {
    const about = { address: temporal.address, error: describeError(error) };
    logger.warn(about, 'Temporal does not answer: work that needs it waits');
  });
  guard.start();
  onStop(async () => {
    void guard.stop();
    await temporal.close();
  });
  return { ...temporal, guard };
}

/** A server that takes longer for a trivial call is unusable. */
const ANSWER_WITHIN_MS = 2_000;

/** Checks that Temporal answers, and has the namespace. Never rejects. */
export async function checkTemporal({
  client,
  namespace,
}: TemporalConnection): Promise<ReadinessCheck> {
  const answer = client.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
    client.workflowService.describeNamespace({ namespace }),
  );
  return answer.then(
    () => readinessCheck('temporal', true, ''),
    () => readinessCheck('temporal', false, 'does not answer, or not for this namespace'),
  );
}

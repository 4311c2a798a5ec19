import { findInstallationId } from '../database/health.ts';
import type { Orm } from '../database/orm.ts';
import type { ServiceContext } from '../service.ts';
import type { TemporalConnection } from './connection.ts';
import { createNamespaceGuard } from './namespace-guard.ts';

/** Temporal, which may be away, with the guard of this installation's namespace. */
export function openTemporal(
  { fail, onStop }: ServiceContext,
  temporal: TemporalConnection,
  orm: Orm,
) {
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  guard.start();
  onStop(async () => {
    void guard.stop();
    await temporal.close();
  });
  return { ...temporal, guard };
}

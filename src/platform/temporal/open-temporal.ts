import { findInstallationId } from '../database/health.ts';
import type { Orm } from '../database/orm.ts';
import type { ServiceContext } from '../service.ts';
import { connectTemporal } from './connection.ts';
import { createNamespaceGuard } from './namespace-guard.ts';

/** Temporal, which may be away, and the guard of this installation's namespace. */
export function openTemporal({ settings, fail, onStop }: ServiceContext, orm: Orm) {
  const temporal = connectTemporal(settings);
  const guard = createNamespaceGuard(temporal, () => findInstallationId(orm), fail);
  guard.start();
  onStop(async () => {
    void guard.stop();
    await temporal.close();
  });
  return { ...temporal, guard };
}

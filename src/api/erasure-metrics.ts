import type { ErasureState } from '../erasure/erasure.ts';
import { shared } from '../platform/async.ts';
import { type Readings } from '../platform/readings.ts';

/** Who was deleted and is still to be erased. */
export function exportErasures(
  { gauge }: Readings,
  findErasures: () => Promise<ErasureState>,
): void {
  const erasures = shared(findErasures);
  gauge(
    {
      name: 'daybell_erasures_waiting',
      help: 'Deleted users whose time has come, and who are not erased from both stores.',
    },
    async () => (await erasures()).waiting,
  );
  gauge(
    {
      name: 'daybell_erasures_oldest_age_seconds',
      help: 'How long the one of them who waits longest has been due; 0 when nobody waits.',
    },
    async () => (await erasures()).oldestAgeMs / 1000,
  );
}

/** Erasure as the worker has it, and none for workers of which nobody wants it. */
import type { Client } from '@temporalio/client';

import type { ErasureActivityDeps } from '../../src/activities/erasure.ts';
import { BIRTHDAY } from '../../src/domain/event-type.ts';
import { createErasureLedger } from '../../src/persistence/erasure.ts';
import type { Orm } from '../../src/persistence/orm.ts';
import { createWorkflowRemover } from '../../src/temporal/workflow-remover.ts';

type ErasureDeps = Omit<ErasureActivityDeps, 'logger'>;

export function createTestErasure(orm: Orm, client: Client): ErasureDeps {
  return {
    erasures: createErasureLedger(orm),
    workflows: createWorkflowRemover(client),
    eventTypes: [BIRTHDAY],
  };
}

const refuse = () => Promise.reject(new Error('there is no erasure in this test'));

export const WITHOUT_ERASURE: ErasureDeps = {
  erasures: {
    eraseFromDatabase: refuse,
    takeForTemporal: refuse,
    markErasedFromTemporal: refuse,
    findState: refuse,
  },
  workflows: { remove: refuse },
  eventTypes: [],
};

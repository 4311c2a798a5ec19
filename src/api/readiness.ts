import { z } from 'zod';

import { type ReadinessCheck, readinessCheck } from '../platform/service.ts';

/** What a supervisor sends: the states of the processes that it runs. */
const ChildrenMessage = z.object({
  type: z.literal('children'),
  children: z.record(z.string(), z.enum(['starting', 'ready', 'down'])),
});

/** Every supervised process by a check; one for all before the supervisor has said anything. */
export function watchChildren(): () => ReadinessCheck[] {
  let checks = [readinessCheck('processes', false, 'starting')];
  process.on('message', (message) => {
    const { data } = ChildrenMessage.safeParse(message);
    if (data === undefined) return;
    checks = Object.entries(data.children).map(([name, state]) =>
      readinessCheck(name, state === 'ready', state),
    );
  });
  return () => checks;
}

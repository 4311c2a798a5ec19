import { expect, test } from 'vitest';

import type { Build, KnownBuild } from '../platform/temporal/worker-versions.ts';
import { versionState } from './version-handover.ts';

const old: KnownBuild = { buildId: 'old', wasCurrent: true };
const next: KnownBuild = { buildId: 'next', wasCurrent: false };
const left: KnownBuild = { buildId: 'next', wasCurrent: true };

test.each<[string, Build, Build, Build[], KnownBuild[], string]>([
  ['no worker has a build id', null, null, [null], [], 'current'],
  ['its deployment is not there yet', 'next', null, [null, 'next'], [], 'unknown'],
  ['its polls are not seen yet', 'next', 'old', ['old'], [old, next], 'unknown'],
  ['it is current', 'old', 'old', ['old'], [], 'current'],
  ['it is the first with a build id', 'next', null, [null, 'next'], [next], 'new'],
  ['it is a new build', 'next', 'old', ['old', 'next'], [old, next], 'new'],
  ['it was current, the new one works', 'old', 'next', ['old', 'next'], [old, left], 'other'],
  ['it was current, the new one is gone', 'old', 'next', ['old'], [old, left], 'abandoned'],
  ['it has no build id, one that has works', null, 'old', ['old', null], [old], 'other'],
  ['it has no build id, and the others are gone', null, 'old', [null], [old], 'abandoned'],
])('%s', (_, own, current, alive, known, state) => {
  expect(versionState(own, { current, alive: new Set(alive) }, known)).toBe(state);
});

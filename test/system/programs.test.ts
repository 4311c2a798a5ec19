import { expect, test } from 'vitest';

import { runDebian } from './support/debian.ts';

test.for([
  ['haproxy', '-v'],
  ['initdb', '--version'],
  ['nginx', '-v'],
  ['pgbouncer', '--version'],
  ['prometheus', '--version'],
  ['promtool', '--version'],
  ['psql', '--version'],
] as const)("Debian's %s runs here", async ([program, flag]) => {
  const { exited, lines } = await runDebian(program, [flag]);
  expect({ exitCode: await exited, lines }).toMatchObject({ exitCode: 0 });
});

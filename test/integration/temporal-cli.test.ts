/** `npm run temporal`: Temporal's CLI, for the server that the settings define. */
import { expect, test } from 'vitest';

import { runProgram } from '../support/process.ts';
import { useDevServer } from '../support/temporal.ts';
import { untilTestEnds } from '../support/until-test-ends.ts';

test.for(['TEMPORAL_ADDRESS', 'TEMPORAL_DEV_PORT'])(
  'calls the server of %s, and ends as the CLI does',
  async (setting) => {
    const { address, close } = await useDevServer();
    const [, port] = address.split(':');
    const given = {
      HOME: process.env['HOME'],
      [setting]: setting === 'TEMPORAL_ADDRESS' ? address : port,
    };
    const ran = untilTestEnds(
      runProgram(process.execPath, ['dev/temporal/cli.ts', 'workflow', 'count'], {
        settings: given,
      }),
    );
    expect(await ran.exited).toBe(0);
    expect(ran.lines.join('\n')).toMatch(/Total: \d+/);
    const failing = ['dev/temporal/cli.ts', 'workflow', 'describe', '--workflow-id', 'nobody'];
    const failed = untilTestEnds(runProgram(process.execPath, failing, { settings: given }));
    expect(await failed.exited).toBe(1);
    await close();
  },
);

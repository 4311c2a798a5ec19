/** Argument: the folder to download into. See test-server-binary.ts. */
import { TestWorkflowEnvironment } from '@temporalio/testing';

import { innermostCause } from '../../src/dev/temporal/innermost-cause.ts';

const [downloadDir] = process.argv.slice(2);
if (downloadDir === undefined) process.exit(2);

try {
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'cached-download', downloadDir } },
  });
  await environment.teardown();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${innermostCause(error)}\n`);
  process.exit(1);
}

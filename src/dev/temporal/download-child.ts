/** Arguments: the folder to download into, the CLI's version. See download.ts. */
import { TestWorkflowEnvironment } from '@temporalio/testing';

import { innermostCause } from './innermost-cause.ts';

const [downloadDir, version] = process.argv.slice(2);
if (downloadDir === undefined || version === undefined) process.exit(2);

try {
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'cached-download', downloadDir, version },
      log: { level: 'never', format: 'json' },
    },
  });
  await environment.teardown();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${innermostCause(error)}\n`);
  process.exit(1);
}

/**
 * Lets Temporal's SDK download the CLI, as it does for its test environment. Arguments: the folder
 * to download into, and the version. The last line of its output is the reason of a failure.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir = '', version = ''] = process.argv.slice(2);

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
  // Its causes are on one line, outermost first, each with the whole address.
  process.stderr.write(`${String(error).replaceAll(/\s+/g, ' ').split('): ').at(-1)}\n`);
  process.exit(1);
}

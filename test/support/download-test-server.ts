/** Argument: the folder to download into. See test-server-binary.ts. */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir] = process.argv.slice(2);
if (downloadDir === undefined) process.exit(2);

try {
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'cached-download', downloadDir } },
  });
  await environment.teardown();
  process.exit(0);
} catch (error) {
  // Its causes are on one line, outermost first, each with the whole address.
  process.stderr.write(`${String(error).replaceAll(/\s+/g, ' ').split('): ').at(-1)}\n`);
  process.exit(1);
}

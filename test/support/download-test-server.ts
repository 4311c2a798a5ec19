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
  process.stderr.write(`${innermost(error)}\n`);
  process.exit(1);
}

/** The SDK chains its causes in one line, outermost first. */
function innermost(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
  return message.split('): ').at(-1) ?? message;
}

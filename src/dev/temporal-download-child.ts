/** Arguments: the folder to download into, the CLI's version. See temporal-download.ts. */
import { TestWorkflowEnvironment } from '@temporalio/testing';

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
  process.stderr.write(`${innermost(error)}\n`);
  process.exit(1);
}

/** The SDK chains its causes in one line, outermost first, each with the whole address. */
function innermost(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
  return message.split('): ').at(-1) ?? message;
}

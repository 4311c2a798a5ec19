import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, type Logger, type WorkflowBundle } from '@temporalio/worker';

/**
 * The workflows as one script for Temporal's sandbox. Takes seconds: once for a process.
 *
 * @param workflowsPath a module that exports them, by their types; Daybell's own when not given
 */
export function bundleWorkflows(
  logger: Logger,
  workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
): Promise<WorkflowBundle> {
  return bundleWorkflowCode({ workflowsPath, logger });
}

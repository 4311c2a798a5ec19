import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, type Logger, type WorkflowBundle } from '@temporalio/worker';

/** The workflows as one script for Temporal's sandbox. Takes seconds: once for a process. */
export function bundleWorkflows(logger: Logger): Promise<WorkflowBundle> {
  const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
  return bundleWorkflowCode({ workflowsPath, logger });
}

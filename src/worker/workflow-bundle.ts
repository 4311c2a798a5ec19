import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { bundleWorkflowCode, type Logger } from '@temporalio/worker';

import { InvalidSettingsError } from '../platform/settings/settings.ts';

export interface WorkflowCode {
  readonly code: string;
}

interface PrebuiltBundle extends WorkflowCode {
  /** A hash of the sources. */
  readonly madeFrom: string;
}

const SOURCE = join(import.meta.dirname, '..', 'workflows');

/**
 * Bundles the workflows into one script for Temporal's sandbox. Takes seconds of a core: once per
 * process, or once per image.
 */
export async function bundleWorkflows(
  logger: Logger,
  workflowsPath = join(SOURCE, 'index.ts'),
): Promise<WorkflowCode> {
  return bundleWorkflowCode({ workflowsPath, logger });
}

/** Creates the contents of the file that `readWorkflowBundle` reads. */
export async function prebuildWorkflows(logger: Logger): Promise<string> {
  const { code } = await bundleWorkflows(logger);
  const bundle: PrebuiltBundle = { madeFrom: sourcesOfWorkflows(), code };
  return JSON.stringify(bundle);
}

/**
 * @throws InvalidSettingsError if the file cannot be read, or was made from other sources:
 *   workflows that differ from what the rest of the process expects break the sleeping ones
 */
export function readWorkflowBundle(path: string): WorkflowCode {
  const unusable = (problem: string) =>
    new InvalidSettingsError([
      `WORKFLOW_BUNDLE: ${path} ${problem}; npm run bundle -- ${path} makes it`,
    ]);
  let bundle: PrebuiltBundle;
  try {
    bundle = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw unusable(error instanceof SyntaxError ? 'is not a bundle' : 'cannot be read');
  }
  if (bundle.madeFrom === sourcesOfWorkflows()) return { code: bundle.code };
  throw unusable('was made from other workflows than these');
}

/** The sources of everything that is bundled: the workflows, and the SDK. */
function sourcesOfWorkflows(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(SOURCE).toSorted()) {
    if (name.endsWith('.test.ts') || !name.endsWith('.ts')) continue;
    hash.update(`${name}\n`).update(readFileSync(join(SOURCE, name)));
  }
  const sdk: { version: string } = createRequire(import.meta.url)(
    '@temporalio/workflow/package.json',
  );
  return hash.update(sdk.version).digest('hex');
}

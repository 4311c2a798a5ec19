import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { findWorkflowBundle, uniqueTaskQueue } from './temporal.ts';

/**
 * The settings of all processes that send to a receiver on this machine, except for the database.
 */
export async function settingsToSend(temporalAddress: string, webhookUrl: string) {
  return {
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_TASK_QUEUE: uniqueTaskQueue(),
    WORKFLOW_BUNDLE: await findWorkflowBundle(),
    WEBHOOK_URL: webhookUrl,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_SECRETS: newWebhookSecret(),
    PORT: '0',
  };
}

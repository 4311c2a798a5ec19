/** `npm run secret:new`: prints a secret for WEBHOOK_SECRETS. */
import { newWebhookSecret } from '../config/webhook-secrets.ts';

process.stdout.write(`${newWebhookSecret()}\n`);

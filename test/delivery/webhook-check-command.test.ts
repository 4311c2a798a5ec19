/** npm run webhook:check, as typed in a shell. */
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { newWebhookSecret } from '../../src/platform/settings/webhook-secrets.ts';
import { freePort } from '../support/free-port.ts';
import { runProgram } from '../support/process.ts';
import { runHere } from '../support/run-here.ts';
import {
  startWebhookReceiver,
  type WebhookReceiver,
  withStatus,
} from '../support/webhook-receiver.ts';

const COMMAND = 'src/cli/webhook-check.ts';
const SECRET = newWebhookSecret();

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => receiver.close());

test('says of each event what became of it, and ends with 0 if all was right', async () => {
  receiver.answer((response, { rawBody, headers }) => {
    let status = 204;
    try {
      new Webhook(SECRET).verify(rawBody, headers as Record<string, string>);
    } catch {
      status = 401;
    }
    withStatus(status)(response);
  });
  const command = runProgram(process.execPath, [COMMAND], {
    settings: {
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRETS: SECRET,
      WEBHOOK_ALLOW_PRIVATE: 'true',
    },
  });
  expect(await command.exited).toBe(0);
  const said = command.lines.join('\n');
  expect(said.replaceAll(/ \d+ ms\./g, '')).toContain(`\
  right  A good event: Accepted (204).
  right  The same event again, with the same webhook-id: Accepted (204).
  right  An event that is signed with another secret: Refused (401).
  right  An event of 10 minutes ago, correctly signed: Refused (401).
  right  An event whose body is not the one that was signed: Refused (401).
  right  A good event of 32768 bytes: Accepted (204).

  deduplicated:  not visible from outside
  TLS:           none
  keep-alive:    yes

The receiver handles everything correctly.
- Use https`);
});

test('ends with 1 if something is to be changed, here at a named destination', async () => {
  const { code, text } = await runHere(COMMAND, ['crm-eu'], {
    WEBHOOK_URL_CRM_EU: receiver.url,
    WEBHOOK_SECRETS_CRM_EU: SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
  });
  expect(code).toBe(1);
  expect(text).toContain('WRONG  An event that is signed with another secret: Accepted (200)');
  expect(text).toContain('The receiver does not pass.\n- Verify webhook-signature');
});

test('ends with 69 where it has no destination and no Daybell answers', async () => {
  const { code, text } = await runHere(COMMAND, ['crm'], { PORT: String(await freePort()) });
  expect(code).toBe(69);
  expect(text).toContain('WEBHOOK_URL_CRM is not set, and no Daybell answers');
  expect(text).toContain('set WEBHOOK_URL_CRM and WEBHOOK_SECRETS_CRM to send from here');
});

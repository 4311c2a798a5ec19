/** The process `receiver`: the embedded receiver, on loopback. */
import { once } from 'node:events';

import { requireSettings } from '../src/platform/settings/settings.ts';
import { runService } from '../src/platform/service.ts';
import { createReceiver } from './receiver.ts';

await runService('receiver', async (context) => {
  const settings = requireSettings(context.settings, 'WEBHOOK_SECRETS');
  const server = createReceiver({
    secrets: settings.WEBHOOK_SECRETS,
    print: (line) => process.stdout.write(`${line}\n`),
    now: Date.now,
  });
  server.listen(settings.RECEIVER_DEV_PORT, '127.0.0.1');
  await once(server, 'listening');
  context.onStop(async () => {
    // Also ends idle connections.
    server.close();
    await once(server, 'close');
  });
});

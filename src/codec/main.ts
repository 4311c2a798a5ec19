/** The process `codec`: shows people what is encrypted in Temporal. Only who uses its Web UI needs it. */
import { Server } from 'node:http';

import { createAdaptorServer } from '@hono/node-server';

import { InvalidSettingsError, requireSettings } from '../config/settings.ts';
import { listenOn } from '../observability/http-server.ts';
import { runService, type RunningService, type ServiceContext } from '../observability/service.ts';
import { createPayloadCodec } from '../temporal/payload-codec.ts';
import { createCodecApp } from './app.ts';

await runService('codec', startCodec);

async function startCodec({ settings: given, logger }: ServiceContext): Promise<RunningService> {
  const settings = requireSettings(given, 'TEMPORAL_PAYLOAD_KEYS');
  const { CODEC_HOST: host, CODEC_PORT: port, CODEC_TOKEN: token = null } = settings;
  if (token === null && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    throw new InvalidSettingsError([
      `CODEC_TOKEN: must be set for CODEC_HOST ${host}: whoever reaches it there reads what is encrypted`,
    ]);
  }
  const app = createCodecApp({
    codec: createPayloadCodec(settings.TEMPORAL_PAYLOAD_KEYS),
    origins: settings.CODEC_ORIGINS,
    token,
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  if (!(server instanceof Server)) throw new TypeError('not a server of HTTP/1.1');
  const running = await listenOn(server, { host, port, setting: 'CODEC_PORT' });
  logger.info({ url: running.url }, 'the codec endpoint');
  return { stop: running.stop };
}

/**
 * The process `codec`: decrypts Temporal's payloads for people. Only Temporal's Web UI and CLI need
 * it.
 */
import { isLoopback } from '../../access/own-machine.ts';
import { InvalidSettingsError, requireSettings } from '../settings/settings.ts';
import { listen } from '../http-server.ts';
import { runService } from '../service.ts';
import { createPayloadCodec } from '../temporal/payload-codec.ts';
import { createCodecApp } from './app.ts';

await runService('codec', async ({ settings: given, logger, onStop }) => {
  const settings = requireSettings(given, 'TEMPORAL_PAYLOAD_KEYS');
  const { CODEC_HOST: host, CODEC_PORT: port, CODEC_TOKEN: token = null } = settings;
  if (token === null && !isLoopback(host)) {
    throw new InvalidSettingsError([
      `CODEC_TOKEN: must be set for CODEC_HOST ${host}: anyone who reaches it there can read what is encrypted`,
    ]);
  }
  const app = createCodecApp({
    codec: createPayloadCodec(settings.TEMPORAL_PAYLOAD_KEYS),
    origins: settings.CODEC_ORIGINS,
    token,
  });
  const { HTTP_KEEP_ALIVE: keepAliveMs } = settings;
  const server = await listen(app, { host, port, setting: 'CODEC_PORT', keepAliveMs });
  onStop(server.stop);
  logger.info({ url: server.url }, 'the codec endpoint');
});

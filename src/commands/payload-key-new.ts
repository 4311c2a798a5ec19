/** `npm run payload-key:new`: prints a key for TEMPORAL_PAYLOAD_KEYS. */
import { newPayloadKey } from '../config/payload-keys.ts';

process.stdout.write(`${newPayloadKey()}\n`);

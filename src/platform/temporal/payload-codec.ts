import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import type { Payload, PayloadCodec } from '@temporalio/common';
import protobuf from '@temporalio/proto';

import type { PayloadKey, PayloadKeys } from '../settings/payload-keys.ts';
import { InvalidSettingsError } from '../settings/settings.ts';

const { Payload: PayloadMessage } = protobuf.temporal.api.common.v1;

/** As in Temporal's own encryption samples, so that other tools recognize it. */
const ENCODING = 'binary/encrypted';
const CIPHER = 'aes-256-gcm';
/**
 * The length that GCM is specified for (NIST SP 800-38D, 8.2.2): random, for 2^32 payloads of one
 * key.
 */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const LABELS = ['encoding', 'encryption-cipher', 'encryption-key-id'];

/**
 * Encrypts with the current key; decrypts what any of the keys encrypted, and passes cleartext
 * through. Without keys it changes nothing, and rejects encrypted payloads with the name of the
 * setting.
 */
export function createPayloadCodec(keys: PayloadKeys | undefined): PayloadCodec {
  const { current = null, all = [] } = keys ?? {};
  const byId = new Map(all.map((key) => [key.id, key]));
  return {
    async encode(payloads) {
      return current === null ? payloads : payloads.map((payload) => encrypt(payload, current));
    },
    async decode(payloads) {
      return payloads.map((payload) => {
        if (textOf(payload.metadata?.['encoding']) !== ENCODING) return payload;
        return decrypt(payload, findKey(byId, textOf(payload.metadata?.['encryption-key-id'])));
      });
    },
  };
}

function encrypt(payload: Payload, { id, key }: PayloadKey): Payload {
  const metadata = {
    encoding: Buffer.from(ENCODING),
    'encryption-cipher': Buffer.from('AES-256-GCM'),
    'encryption-key-id': Buffer.from(id),
  };
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(labelsOf(metadata));
  const plain = PayloadMessage.encode(PayloadMessage.create(payload)).finish();
  const data = Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { metadata, data };
}

/** Throws if it was changed, or encrypted with another key of the same id. */
function decrypt(payload: Payload, { id, key }: PayloadKey): Payload {
  const data = payload.data ?? new Uint8Array();
  const iv = data.subarray(0, IV_BYTES);
  try {
    const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(data.subarray(-TAG_BYTES)).setAAD(labelsOf(payload.metadata ?? {}));
    const plain = [decipher.update(data.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()];
    return PayloadMessage.decode(Buffer.concat(plain));
  } catch (error) {
    throw new Error(`A payload was not written with this key ${id}, or was changed since.`, {
      cause: error,
    });
  }
}

/** As additional authenticated data: with other labels the data cannot be decrypted. */
function labelsOf(metadata: NonNullable<Payload['metadata']>): Buffer {
  return Buffer.from(JSON.stringify(LABELS.map((label) => textOf(metadata[label]))));
}

function findKey(keys: ReadonlyMap<string, PayloadKey>, id: string): PayloadKey {
  const key = keys.get(id);
  if (key !== undefined) return key;
  throw new InvalidSettingsError([
    `TEMPORAL_PAYLOAD_KEYS: what Temporal holds was encrypted with a key ${JSON.stringify(id)}, which is not among them`,
  ]);
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes ? Buffer.from(bytes).toString() : '';
}

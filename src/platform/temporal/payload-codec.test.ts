import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { describe, expect, test } from 'vitest';

import { newPayloadKey, payloadKeys } from '../settings/payload-keys.ts';
import { InvalidSettingsError } from '../settings/settings.ts';
import { createPayloadCodec } from './payload-codec.ts';

const OLD = newPayloadKey();
const NEW = newPayloadKey();
const codecOf = (...keys: string[]) => createPayloadCodec(payloadKeys.parse(keys.join(',')));

const VALUES = [{ timezone: 'Europe/London', dueAt: 1_810_803_600_000 }, 'text', null, undefined];
const payloads = VALUES.map((value) => defaultPayloadConverter.toPayload(value) as Payload);
const valuesOf = (decoded: readonly Payload[]) =>
  decoded.map((payload) => defaultPayloadConverter.fromPayload(payload));
const bytesOf = (encoded: readonly Payload[]) =>
  encoded.map(({ data }) => Buffer.from(data ?? []).toString('latin1')).join('\n');

test('encrypted data can be read again, and contains nothing in the clear', async () => {
  const codec = codecOf(OLD);
  const encrypted = await codec.encode(payloads);
  expect(valuesOf(await codec.decode(encrypted))).toEqual(VALUES);
  expect(bytesOf(encrypted)).not.toMatch(/London|timezone|1810803600000/);
  // No two are the same, whatever they contain.
  expect(bytesOf(await codec.encode(payloads))).not.toBe(bytesOf(encrypted));
});

test('after a rotation, the new key encrypts, and both decrypt', async () => {
  const before = await codecOf(OLD).encode(payloads);
  const rotated = codecOf(NEW, OLD);
  expect(valuesOf(await rotated.decode(before))).toEqual(VALUES);
  const after = await rotated.encode(payloads);
  expect(valuesOf(await codecOf(NEW).decode(after))).toEqual(VALUES);
  await expect(codecOf(OLD).decode(after)).rejects.toThrow(InvalidSettingsError);
});

test('cleartext is read as it is', async () => {
  expect(valuesOf(await codecOf(OLD).decode(payloads))).toEqual(VALUES);
});

test('«none» before the keys decrypts what they encrypted, and writes cleartext', async () => {
  const off = codecOf('none', OLD);
  expect(await off.encode(payloads)).toEqual(payloads);
  expect(valuesOf(await off.decode(await codecOf(OLD).encode(payloads)))).toEqual(VALUES);
});

test('without keys nothing changes, and the missing one is named', async () => {
  const without = createPayloadCodec(undefined);
  expect(await without.encode(payloads)).toEqual(payloads);
  const encrypted = await codecOf(OLD).encode(payloads);
  const [id = ''] = OLD.split(':');
  await expect(without.decode(encrypted)).rejects.toThrow(`TEMPORAL_PAYLOAD_KEYS: what Temporal`);
  await expect(without.decode(encrypted)).rejects.toThrow(id);
});

test('data that was changed in transit, or encrypted with another key of the same id, is not read', async () => {
  const codec = codecOf(OLD);
  const [encrypted] = await codec.encode(payloads);
  const data = Buffer.from(encrypted?.data ?? []);
  data.writeUInt8(data.readUInt8(20) ^ 1, 20);
  await expect(codec.decode([{ ...encrypted, data }])).rejects.toThrow('was changed since');
  await expect(codec.decode([{ ...encrypted, data: Buffer.alloc(3) }])).rejects.toThrow(
    'was changed',
  );

  const [id = ''] = OLD.split(':');
  const impostor = codecOf(`${id}:${Buffer.alloc(32).toString('base64')}`);
  await expect(impostor.decode([encrypted as Payload])).rejects.toThrow(
    'not written with this key',
  );
});

describe('its labels are part of what is encrypted', () => {
  const [, key = ''] = OLD.split(':');
  // The same key by two ids, so that nothing but the label could tell them apart.
  const codec = codecOf(OLD, `other:${key}`);
  const relabelled = async (label: string, value: string | null): Promise<Payload[]> => {
    const encrypted = await codec.encode(payloads);
    return encrypted.map(({ metadata, data }) => {
      const { [label]: _, ...others } = metadata ?? {};
      const labels = value === null ? others : { ...others, [label]: Buffer.from(value) };
      return { metadata: labels, data: data ?? null };
    });
  };

  test.for([
    ['encryption-key-id', 'other'],
    ['encryption-cipher', 'AES-128-GCM'],
    ['encryption-cipher', null],
  ] as const)('with %s as %s it cannot be decrypted', async ([label, value]) => {
    await expect(codec.decode(await relabelled(label, value))).rejects.toThrow('was changed since');
  });
});

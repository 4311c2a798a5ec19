/** Certificates that are generated on the fly: the repository contains no key (X.509, RFC 5280). */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  /** What a client that trusts it needs. */
  readonly cert: string;
  /** For a server on this machine, or a client of one. */
  issue(name?: string, options?: CertificateOptions): Certificate;
}

export interface CertificateOptions {
  /** Its host name; `localhost` and 127.0.0.1 by default. */
  readonly host?: string;
  /** Epoch ms; a day from now by default. */
  readonly validUntil?: number;
}

/** An untrusted certificate for the host `localhost`, valid from an hour ago for a day. */
export function selfSigned(): Certificate {
  const keys = newKeys();
  const name = nameOf('localhost');
  const self = { subject: name, issuer: name, signer: keys.privateKey };
  return certificateOf(keys, self, [hosts('localhost')]);
}

/** A private certificate authority. */
export function createAuthority(): Authority {
  const keys = newKeys();
  const name = nameOf('The authority of a test');
  const self = { subject: name, issuer: name, signer: keys.privateKey };
  return {
    cert: certificateOf(keys, self, [IS_AUTHORITY]).cert,
    issue(subject = 'localhost', { host = 'localhost', validUntil } = {}) {
      const parties = { ...self, subject: nameOf(subject) };
      return certificateOf(newKeys(), parties, [hosts(host)], validUntil);
    },
  };
}

interface Parties {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly signer: KeyObject;
}

const HOUR = 3_600_000;

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function certificateOf(
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
  { subject, issuer, signer }: Parties,
  extensions: readonly Buffer[],
  validUntil = Date.now() + 24 * HOUR,
): Certificate {
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    issuer,
    sequence(time(Date.now() - HOUR), time(validUntil)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', content, signer);
  const whole = sequence(content, ECDSA_WITH_SHA256, tagged(0x03, Buffer.from([0]), signature));
  const lines = whole.toString('base64').replaceAll(/.{64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.trim()}\n-----END CERTIFICATE-----\n`,
  };
}

const integer = (value: Uint8Array): Buffer => tagged(0x02, value);
const sequence = (...parts: Uint8Array[]): Buffer => tagged(0x30, ...parts);

const ECDSA_WITH_SHA256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'));

/** Subject alternative names: a name, and for `localhost` 127.0.0.1 too. */
function hosts(name: string): Buffer {
  const address = name === 'localhost' ? [tagged(0x87, Buffer.from([127, 0, 0, 1]))] : [];
  const names = sequence(tagged(0x82, Buffer.from(name)), ...address);
  return sequence(Buffer.from('0603551d11', 'hex'), tagged(0x04, names));
}

/** Basic constraints, critical: an authority. */
const IS_AUTHORITY = sequence(
  Buffer.from('0603551d13', 'hex'),
  Buffer.from('0101ff', 'hex'),
  tagged(0x04, sequence(Buffer.from('0101ff', 'hex'))),
);

function nameOf(commonName: string): Buffer {
  const attribute = sequence(
    Buffer.from('0603550403', 'hex'),
    tagged(0x0c, Buffer.from(commonName)),
  );
  return sequence(tagged(0x31, attribute));
}

function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`;
  return tagged(0x17, Buffer.from(text));
}

/** A value in DER: its tag, its length, its content. */
function tagged(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content)]), content]);
}

/** As short as possible: Go and Rust refuse anything else. */
function lengthOf({ length }: Uint8Array): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

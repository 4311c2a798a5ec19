import { readFileSync } from 'node:fs';
import { checkServerIdentity, type ConnectionOptions, rootCertificates } from 'node:tls';

import { errorCode } from '../errors.ts';
import { InvalidSettingsError } from '../settings/settings.ts';

/**
 * How to encrypt the connection, from libpq's URL parameters (PostgreSQL's manual, 32.19):
 * `sslmode`, `sslrootcert`, `sslcert`, `sslkey`. The ORM itself drops them, and would connect
 * unencrypted. Null: not encrypted.
 *
 * @throws InvalidSettingsError for other parameters, and for a file that cannot be read
 */
export function databaseTls(databaseUrl: string): ConnectionOptions | null {
  const { searchParams, hostname } = new URL(databaseUrl);
  const parameter = (name: string): string | null => searchParams.get(name) || null;
  const mode = parameter('sslmode');
  // If misspelled, it would connect unencrypted.
  const others = [...searchParams.keys()].filter((name) => /^ssl/i.test(name));
  for (const name of others) if (!KNOWN.has(name)) refuse(`has ${name}; TLS is set by sslmode`);
  if (mode === null || mode === 'disable') {
    if (mode === null && others.length > 0) refuse(`has ${others[0]} without sslmode`);
    return null;
  }
  if (!MODES.has(mode)) {
    // libpq's `allow` and `prefer` leave open whether the connection is encrypted.
    refuse('must have an sslmode of disable, require, verify-ca or verify-full');
  }
  const contentOf = (name: string): string | null => {
    const file = parameter(name);
    return file === null ? null : readParameter(name, file);
  };
  // `system`: Node's own.
  const isSystem = parameter('sslrootcert') === 'system';
  const ca = isSystem ? rootCertificates.join('\n') : contentOf('sslrootcert');
  const [cert, key] = [contentOf('sslcert'), contentOf('sslkey')];
  if ((cert === null) !== (key === null)) refuse('has one of sslcert and sslkey: both are needed');
  if (mode === 'verify-ca' && ca === null) refuse('has sslmode verify-ca, which needs sslrootcert');

  const host = hostname.replace(/^\[(.+)\]$/, '$1');
  return {
    // As in libpq: with an authority, `require` verifies as well.
    rejectUnauthorized: mode !== 'require' || ca !== null,
    checkServerIdentity: (_name, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
    ...(ca !== null && { ca }),
    ...(cert !== null && key !== null && { cert, key }),
  };
}

const KNOWN: ReadonlySet<string> = new Set(['sslmode', 'sslrootcert', 'sslcert', 'sslkey']);
const MODES: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);

function readParameter(parameter: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return refuse(`names ${file} as ${parameter}, which cannot be read (${errorCode(error)})`);
  }
}

function refuse(why: string): never {
  throw new InvalidSettingsError([`DATABASE_URL: ${why}`]);
}

import { readFileSync } from 'node:fs';
import { checkServerIdentity, type ConnectionOptions, rootCertificates } from 'node:tls';

import { InvalidSettingsError } from '../settings/settings.ts';

/**
 * How the connection is encrypted, by libpq's URL parameters (PostgreSQL's manual, 32.19):
 * `sslmode`, `sslrootcert`, `sslcert`, `sslkey`. The ORM itself drops them, and would connect in
 * the clear. Null: not encrypted.
 *
 * @throws InvalidSettingsError for other parameters, and for a file that cannot be read
 */
export function databaseTls(databaseUrl: string): ConnectionOptions | null {
  const { searchParams, hostname } = new URL(databaseUrl);
  const parameter = (name: string): string | null => searchParams.get(name) || null;
  const mode = parameter('sslmode');
  // Misspelled, it would connect in the clear.
  const others = [...searchParams.keys()].filter((name) => /^ssl/i.test(name));
  for (const name of others) if (!KNOWN.has(name)) refuse(`has ${name}; TLS is set by sslmode`);
  if (mode === null || mode === 'disable') {
    if (mode === null && others.length > 0) refuse(`has ${others[0]} without sslmode`);
    return null;
  }
  if (!MODES.has(mode)) {
    // With libpq's `allow` and `prefer`, nobody knows whether it is encrypted.
    refuse('must have an sslmode of disable, require, verify-ca or verify-full');
  }
  const ca = authorityOf(parameter('sslrootcert'));
  const cert = contentOf('sslcert', parameter('sslcert'));
  const key = contentOf('sslkey', parameter('sslkey'));
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

/** `system`: Node's own. */
function authorityOf(file: string | null): string | null {
  return file === 'system' ? rootCertificates.join('\n') : contentOf('sslrootcert', file);
}

function contentOf(parameter: string, file: string | null): string | null {
  if (file === null) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    return refuse(`names ${file} as ${parameter}, which cannot be read${code}`);
  }
}

function refuse(why: string): never {
  throw new InvalidSettingsError([`DATABASE_URL: ${why}`]);
}

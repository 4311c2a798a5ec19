/** Temporal's own settings: its environment variables (`TEMPORAL_…`), and the profile in its file. */
import { createSecureContext } from 'node:tls';

import {
  type ClientConfigProfile,
  loadClientConfigProfile,
  loadConfigData,
  toClientOptions,
} from '@temporalio/envconfig';

import { errorCode } from '../errors.ts';
import { readMachine } from '../settings/machine.ts';
import { InvalidSettingsError } from '../settings/settings.ts';

type TlsProfile = NonNullable<ClientConfigProfile['tls']>;
type CertificateSource = NonNullable<TlsProfile['clientCert']>;

/**
 * Reads them, certificates included, so that a fault in one is known before anything starts. The
 * SDK itself ignores half a client certificate, and connects without.
 *
 * @throws InvalidSettingsError that names each fault
 */
export function loadStandardSettings() {
  const given = givenVariables(readMachine().environment);
  const profile = profileOf(given);
  const faults = [...faultsOfSwitch(given), ...faultsOfTls(profile.tls ?? {}, given)];
  if (faults.length > 0) throw new InvalidSettingsError(faults);
  const { connectionOptions, namespace = 'default' } = toClientOptions(profile);
  return { connectionOptions, namespace };
}

function profileOf(given: Record<string, string>): ClientConfigProfile {
  try {
    return loadClientConfigProfile({ overrideEnvVars: given });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidSettingsError([`Temporal's own settings (TEMPORAL_…): ${why}`]);
  }
}

/** For the SDK, any other value switches TLS off. */
function faultsOfSwitch({ TEMPORAL_TLS }: Record<string, string>): string[] {
  if (TEMPORAL_TLS === undefined || /^(true|false|1|0)$/.test(TEMPORAL_TLS)) return [];
  return ['TEMPORAL_TLS: must be true or false'];
}

function faultsOfTls(tls: TlsProfile, given: Record<string, string>): string[] {
  if (tls.disabled) return [];
  const faults: string[] = [];
  const read = (what: string, source: CertificateSource | undefined): Buffer | null => {
    if (source === undefined) return null;
    try {
      return Buffer.from(loadConfigData(source) ?? []);
    } catch (error) {
      const path = 'path' in source ? source.path : '';
      faults.push(`${nameOf(what, given)}: ${path} cannot be read (${errorCode(error)})`);
      return null;
    }
  };
  const check = (what: string, rule: string, pem: Parameters<typeof createSecureContext>[0]) => {
    try {
      createSecureContext(pem);
    } catch {
      faults.push(`${nameOf(what, given)}: ${rule}`);
    }
  };

  const [ca, cert, key] = [
    read('SERVER_CA_CERT', tls.serverCACert),
    read('CLIENT_CERT', tls.clientCert),
    read('CLIENT_KEY', tls.clientKey),
  ];
  if (tls.clientCert && !tls.clientKey) {
    faults.push(`${nameOf('CLIENT_CERT', given)}: needs TEMPORAL_TLS_CLIENT_KEY_PATH as well`);
  }
  if (tls.clientKey && !tls.clientCert) {
    faults.push(`${nameOf('CLIENT_KEY', given)}: needs TEMPORAL_TLS_CLIENT_CERT_PATH as well`);
  }
  // As if it were its own certificate: among authorities, text that is not a certificate is not
  // reported.
  if (ca) check('SERVER_CA_CERT', 'must be certificates in PEM', { cert: ca });
  if (cert) check('CLIENT_CERT', 'must be a certificate in PEM', { cert });
  if (cert && key && faults.length === 0) {
    check('CLIENT_KEY', 'must be the key of the client certificate, in PEM, not encrypted', {
      cert,
      key,
    });
  }
  return faults;
}

/** The variable that was set, or the key of the profile, which has the same words. */
function nameOf(what: string, given: Record<string, string>): string {
  const variable = [`TEMPORAL_TLS_${what}_PATH`, `TEMPORAL_TLS_${what}_DATA`].find(
    (name) => name in given,
  );
  return variable ?? `${what.toLowerCase()}_… of Temporal's profile`;
}

/** For the SDK, an empty one removes this header of the profile. */
const HEADER = 'TEMPORAL_GRPC_META_';

/**
 * Without empty variables, which count as unset: the SDK takes an empty API key for one, and
 * switches TLS on.
 */
function givenVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => Boolean(entry[1]) || entry[0].startsWith(HEADER),
    ),
  );
}

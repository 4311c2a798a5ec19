import { type Interceptor, InterceptingCall, status } from '@grpc/grpc-js';
import { defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { NativeConnectionOptions } from '@temporalio/worker';

export type Place = Pick<NativeConnectionOptions, 'address' | 'tls' | 'apiKey'> & {
  readonly namespace: string;
};

/**
 * Interceptors, the SDK's retries among them, that make a call that fails because of the connection
 * say in a sentence where it went, how, why it failed and what to check. By default, gRPC reports
 * of a call that was retried until its deadline only that the deadline has passed.
 */
export function explainErrors(place: Place): Interceptor[] {
  let lastProblem: string | null = null;
  return [
    // Outside the retries: the last status is the call's.
    onStatus((code, details) => explain(place, code, details, lastProblem)),
    makeGrpcRetryInterceptor(defaultGrpcRetryOptions()),
    onStatus((code, details) => {
      if (code === status.UNAVAILABLE) lastProblem = details;
      else if (code !== status.DEADLINE_EXCEEDED) lastProblem = null;
      return details;
    }),
  ];
}

function onStatus(detailsOf: (code: status, details: string) => string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        next(metadata, {
          onReceiveMetadata: (received, pass) => pass(received),
          onReceiveMessage: (message, pass) => pass(message),
          onReceiveStatus: (received, pass) =>
            pass({ ...received, details: detailsOf(received.code, received.details) }),
        });
      },
    });
}

function explain(
  { address, tls, apiKey, namespace }: Place,
  code: status,
  details: string,
  lastProblem: string | null,
): string {
  const hasCertificate = typeof tls === 'object' && tls?.clientCertPair;
  const how = [
    tls ? 'TLS' : 'no TLS',
    ...(hasCertificate ? ['a client certificate'] : []),
    ...(apiKey === undefined ? [] : ['an API key']),
    `namespace ${namespace}`,
  ].join(', ');
  const place = `Temporal at ${address} (${how})`;
  if (code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED) {
    return `${place} refuses the call (${details}): check TEMPORAL_API_KEY, or the client certificate, and TEMPORAL_NAMESPACE`;
  }
  if (code !== status.UNAVAILABLE && code !== status.DEADLINE_EXCEEDED) return details;
  const reason = reasonOf(code === status.UNAVAILABLE ? details : (lastProblem ?? 'no answer'));
  const [, advice] = ADVICE.find(([words]) => words.test(reason)) ?? [];
  return `${place} is not available (${reason}): check ${advice ?? (tls ? NOT_TLS : NOT_PLAIN)}`;
}

/** Removes the text that gRPC, Node's TLS and OpenSSL put around the reason. */
function reasonOf(details: string): string {
  const [, ofOpenSsl] = /:SSL routines:[^:]*:([^:]+):/.exec(details) ?? [];
  if (ofOpenSsl !== undefined) return ofOpenSsl;
  return details
    .replace(/^No connection established\. Last error: (?:Error(?: \[\w+\])?: )?/, '')
    .replace(/(?: \([\dT:.Z-]+\))?\.?\s*Resolution note:.*$/s, '');
}

/** Advice by the words of the reason. */
const ADVICE = [
  [
    /ECONNREFUSED|E(?:HOST|NET)UNREACH|ETIMEDOUT|resolution|no answer/,
    'that its frontend runs there, and TEMPORAL_ADDRESS',
  ],
  [/alert/, 'TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH'],
  [/certificate|altname/i, 'TEMPORAL_TLS_SERVER_CA_CERT_PATH and TEMPORAL_TLS_SERVER_NAME'],
] as const;
const NOT_TLS = 'whether the server has TLS there (TEMPORAL_TLS)';
const NOT_PLAIN = 'whether the server wants TLS (TEMPORAL_TLS)';

import { describe, expect, it } from 'vitest';

import {
  classifyOutcome,
  DESTINATION_REFUSED,
  RETRY_AFTER_CAP_MS,
  retryAfterMs,
} from './outcome.ts';

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe('an answer', () => {
  const EXCEPTIONS = new Set([408, 410, 425, 429]);
  const TABLE = {
    delivered: range(200, 299),
    gone: [410],
    retry: [...range(100, 199), 408, 425, 429, ...range(500, 599)],
    give_up: range(300, 499).filter((status) => !EXCEPTIONS.has(status)),
  };

  it('has exactly one verdict for each status from 100 to 599', () => {
    const all = Object.values(TABLE).flat();
    expect(all.toSorted((a, b) => a - b)).toEqual(range(100, 599));
  });

  it.each(Object.entries(TABLE))('%s', (verdict, statuses) => {
    for (const status of statuses) {
      expect({ status, ...classifyOutcome({ status, errorCode: null }) }).toMatchObject({
        status,
        verdict,
      });
    }
  });

  it.each([0, 99, 600, 999])('with an invalid status, %i, is tried again', (status) => {
    expect(classifyOutcome({ status, errorCode: null }).verdict).toBe('retry');
  });

  it('slows the destination as a whole if it asks for that, and only then', () => {
    const slowing = Array.from({ length: 600 }, (_, status) => status).filter(
      (status) => classifyOutcome({ status, errorCode: null }).slowsDestination,
    );
    expect(slowing).toEqual([429, 503]);
  });
});

describe('an error', () => {
  it.each([
    // A timeout, of the whole exchange or of the operating system.
    'ETIMEDOUT',
    // Names.
    'ENOTFOUND',
    'EAI_AGAIN',
    'EAI_FAIL',
    'EAI_NODATA',
    // Connections.
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EPIPE',
    'EHOSTUNREACH',
    'EHOSTDOWN',
    'ENETUNREACH',
    'ENETDOWN',
    'EADDRNOTAVAIL',
    'EADDRINUSE',
    'EMFILE',
    // TLS.
    'EPROTO',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_TLS_HANDSHAKE_TIMEOUT',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    // Not HTTP.
    'HPE_INVALID_CONSTANT',
    'HPE_INVALID_STATUS',
    'HPE_HEADER_OVERFLOW',
    // The client's own.
    'ERR_GOT_REQUEST_ERROR',
    'ERR_READING_RESPONSE_STREAM',
    'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
    'ERR_UPLOAD',
    'ERR_ABORTED',
    'ERR_UNKNOWN',
    'SOMETHING_NEW',
    null,
  ])('%s is tried again', (errorCode) => {
    expect(classifyOutcome({ status: null, errorCode })).toEqual({
      verdict: 'retry',
      slowsDestination: false,
    });
  });

  it.each([
    DESTINATION_REFUSED,
    'ERR_INVALID_URL',
    'ERR_INVALID_PROTOCOL',
    'ERR_UNSUPPORTED_PROTOCOL',
  ])('%s is not: no later attempt can help', (errorCode) => {
    expect(classifyOutcome({ status: null, errorCode }).verdict).toBe('give_up');
  });
});

describe('Retry-After', () => {
  const now = Date.parse('1994-11-06T08:49:07Z');

  it.each([
    ['120', 120_000],
    [' 5 ', 5000],
    ['0', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 30_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 30_000],
    ['Sun Nov  6 08:49:37 1994', 30_000],
    ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
  ])('of %j is %i ms', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });

  it.each(['86400', '9'.repeat(400), 'Mon, 07 Nov 1994 08:49:37 GMT'])(
    'of %j is capped',
    (header) => {
      expect(retryAfterMs(header, now)).toBe(RETRY_AFTER_CAP_MS);
    },
  );

  it.each(['', 'soon', '-5', '1.5', '1994-11-06T08:49:37Z', null])('of %j is ignored', (header) => {
    expect(retryAfterMs(header, now)).toBeNull();
  });
});

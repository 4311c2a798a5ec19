import { describe, expect, it } from 'vitest';

import {
  classifyOutcome,
  DESTINATION_REFUSED,
  RETRY_AFTER_CAP_MS,
  retryAfterMs,
} from './outcome.ts';

describe('an answer', () => {
  it.each([
    ['delivered', [200, 201, 202, 204, 206, 299]],
    ['gone', [410]],
    ['retry', [408, 425, 429, 500, 501, 502, 503, 504, 520, 599]],
    [
      'give_up',
      [300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 409, 413, 422, 451, 499],
    ],
    ['retry', [100, 101, 199, 600, 999, 0]],
  ])('%s: %j', (verdict, statuses) => {
    for (const status of statuses) expect(classifyOutcome({ status }).verdict).toBe(verdict);
  });

  it('slows the destination as a whole when it asks for that, and only then', () => {
    const slowing = Array.from({ length: 600 }, (_, status) => status).filter(
      (status) => classifyOutcome({ status }).slowsDestination,
    );
    expect(slowing).toEqual([429, 503]);
  });
});

describe('an error', () => {
  it.each([
    'ETIMEDOUT',
    'ECONNRESET',
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    'ERR_READING_RESPONSE_STREAM',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SOMETHING_NEW',
    undefined,
  ])('%s is tried again', (errorCode) => {
    expect(classifyOutcome({ errorCode })).toEqual({ verdict: 'retry', slowsDestination: false });
  });

  it.each([
    DESTINATION_REFUSED,
    'ERR_INVALID_URL',
    'ERR_INVALID_PROTOCOL',
    'ERR_UNSUPPORTED_PROTOCOL',
  ])('%s is not: no later attempt can cure it', (errorCode) => {
    expect(classifyOutcome({ errorCode }).verdict).toBe('give_up');
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

  it.each(['', 'soon', '-5', '1.5', '1994-11-06T08:49:37Z', null, undefined])(
    'of %j is none',
    (header) => {
      expect(retryAfterMs(header, now)).toBeNull();
    },
  );
});

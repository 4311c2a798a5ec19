/**
 * What the text of a variable may be, and the value that it then has. The message of each is
 * the rule, and never has the text in it, which may be a secret.
 */
import ms, { type StringValue } from 'ms';
import { z } from 'zod';

import { parseApiKeys } from './api-keys.ts';
import { parsePayloadKeys } from './payload-keys.ts';
import { parseWebhookSecrets } from './webhook-secrets.ts';

/** 0 is whichever port is free. */
export function port(preset: number) {
  return wholeNumber(0, 65_535).default(preset);
}

export function wholeNumber(least: number, most: number) {
  const rule = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d+$/, rule)
    .transform(Number)
    .refine((value) => value >= least && value <= most, rule);
}

/** A part of a whole, from none to all of it. */
export function share() {
  const rule = 'must be a number from 0 to 1';
  return z
    .string()
    .regex(/^(0|1|[01]?\.\d+)$/, rule)
    .transform(Number)
    .refine((value) => value <= 1, rule);
}

/** Unset: false. */
export function flag() {
  return z
    .enum(['true', 'false'], 'must be true or false')
    .default('false')
    .transform((value) => value === 'true');
}

/** A duration such as `15s`, `5m` or `72h`, in ms. */
export function duration(preset: StringValue, leastMs: number, mostMs: number) {
  const rule = `must be a duration such as 15s, 5m or 72h, from ${ms(leastMs)} to ${ms(mostMs)}`;
  return z
    .string()
    .regex(/^\d+(\.\d+)?\s*(ms|s|m|h|d)$/, rule)
    .default(preset)
    .transform((value) => ms(value as StringValue))
    .refine((value) => value >= leastMs && value <= mostMs, rule);
}

/** The value may hold a password: it is not part of the message. */
export function url(protocols: readonly string[], example: string) {
  return z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `must be a URL such as ${example}`,
    );
}

/** A comma-separated list, as browsers write them: scheme, host and port, and nothing after. */
export function origins() {
  return z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim()))
    .refine(
      (list) => list.every(isOrigin),
      'must be origins such as https://temporal.example.com, comma-separated',
    );
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/** Who may use the API: see `api-keys.ts`. */
export function apiKeys() {
  return listed((list) => {
    const { keys, faults } = parseApiKeys(list);
    return { values: keys, faults };
  });
}

/** What encrypts and decrypts: see `payload-keys.ts`. */
export function payloadKeys() {
  return listed((list) => {
    const { keys, faults } = parsePayloadKeys(list);
    return { values: keys, faults };
  });
}

/** What signs: see `webhook-secrets.ts`. */
export function webhookSecrets() {
  return listed((list) => {
    const { secrets, faults } = parseWebhookSecrets(list);
    return { values: secrets, faults };
  });
}

/** A list with a reader of its own, which finds every fault in it. */
function listed<Values>(
  read: (list: string) => { readonly values: Values; readonly faults: readonly string[] },
) {
  return z.string().transform((list, context) => {
    const { values, faults } = read(list);
    for (const message of faults) context.addIssue({ code: 'custom', message });
    return faults.length === 0 ? values : z.NEVER;
  });
}

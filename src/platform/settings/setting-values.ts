/**
 * Parses the text of each kind of variable. A message states the rule, and never quotes the text,
 * which may be a secret.
 */
import ms, { type StringValue } from 'ms';
import { z } from 'zod';

/** 0 means any free port. */
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

export function share() {
  const rule = 'must be a number from 0 to 1';
  return z
    .string()
    .regex(/^(0|1|[01]?\.\d+)$/, rule)
    .transform(Number)
    .refine((value) => value <= 1, rule);
}

/** False if unset. */
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

export function url(protocols: readonly string[], example: string) {
  return z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `must be a URL such as ${example}`,
    );
}

/** A comma-separated list, as browsers write them: scheme, host and port. */
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

import type { z } from 'zod';

import { isLoopback } from '../../access/own-machine.ts';
import { DEFAULT_DESTINATION } from '../destination.ts';
import { type NamedDestination, type NamedDestinations, readDestinations } from './destinations.ts';
import { settingsSchema } from './settings-schema.ts';

/** Every setting, with its default. Errors list all faults at once, and never a secret's value. */
export interface Settings extends z.output<typeof settingsSchema> {
  /** By name, without the one of `WEBHOOK_URL`. */
  readonly DESTINATIONS: NamedDestinations;
}

/** Throws InvalidSettingsError if the settings break a further rule. */
export type SettingsCheck = (settings: Settings) => unknown;

/** Thrown when settings are not usable; the message names each of them, with its rule. */
export class InvalidSettingsError extends Error {
  override readonly name = 'InvalidSettingsError';
  readonly faults: readonly string[];
  readonly cures: readonly string[];

  /** @param cures assignments that make them usable, in shell syntax */
  constructor(faults: readonly string[], cures: readonly string[] = []) {
    const lines = faults.map((fault) => `  ${fault}`);
    if (cures.length > 0) lines.push('Type this, and start again:', `  export ${cures.join(' ')}`);
    super(`These settings are not usable:\n${lines.join('\n')}`);
    this.faults = faults;
    this.cures = cures;
  }
}

/**
 * Reads the settings from the environment; an empty variable counts as unset.
 *
 * @param checks further rules; their faults are thrown together
 * @throws InvalidSettingsError
 */
export function loadSettings(
  env: NodeJS.ProcessEnv = process.env,
  ...checks: readonly SettingsCheck[]
): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = settingsSchema.safeParse(given);
  const faults: string[] = [];
  const cures: string[] = [];
  for (const { path, message } of parsed.error?.issues ?? []) {
    faults.push(`${path.join('.')}: ${message}`);
    delete given[String(path[0])];
  }
  const { destinations, faults: more } = readDestinations(given);
  faults.push(...more);
  const settings = { ...(parsed.data ?? settingsSchema.parse(given)), DESTINATIONS: destinations };
  for (const check of checks) {
    try {
      check(settings);
    } catch (error) {
      if (!(error instanceof InvalidSettingsError)) throw error;
      faults.push(...error.faults);
      cures.push(...error.cures);
    }
  }
  if (faults.length === 0) return settings;
  throw new InvalidSettingsError(faults, cures);
}

/** Whether the environment sets it; otherwise its value is the default. */
export function isSettingGiven(name: keyof Settings): boolean {
  return (process.env[name] ?? '') !== '';
}

/**
 * For a process that needs these settings.
 *
 * @throws InvalidSettingsError when one of them is not set
 */
export function requireSettings<Name extends keyof Settings>(
  settings: Settings,
  ...names: readonly Name[]
): Settings & { readonly [Key in Name]-?: NonNullable<Settings[Key]> } {
  const missing = names.filter((name) => settings[name] === undefined);
  if (missing.length > 0) {
    throw new InvalidSettingsError(
      missing.map((name) => `${name}: must be set for this process${HINTS[name] ?? ''}`),
      missing.includes('WEBHOOK_SECRETS' as Name) ? [NEW_SECRET] : [],
    );
  }
  return settings as Settings & { readonly [Key in Name]-?: NonNullable<Settings[Key]> };
}

/**
 * For the API: without keys anyone who reaches it may do everything, so then it must listen on this
 * machine only.
 *
 * @throws InvalidSettingsError
 */
export function requireKeysBeyondLoopback<Given extends Pick<Settings, 'HOST' | 'API_KEYS'>>(
  settings: Given,
): Given {
  if (settings.API_KEYS !== undefined || isLoopback(settings.HOST)) return settings;
  throw new InvalidSettingsError([
    'HOST: must be a loopback address such as 127.0.0.1, unless API_KEYS is set; npm run key:new makes a key',
  ]);
}

/** For a process that sends, or tests a receiver, which must be able to verify that we sent it. */
export function requireSecretsForUrl(settings: Settings): void {
  if (settings.WEBHOOK_URL !== undefined) requireSettings(settings, 'WEBHOOK_SECRETS');
}

/**
 * All destinations by name, each with its own URL, secrets and rate limit instead of the default's.
 */
export function destinationsOf<Given extends Settings & NamedDestination>(
  settings: Given,
): ReadonlyMap<string, Given> {
  const named = [...settings.DESTINATIONS].map(
    ([name, own]) => [name, { ...settings, ...own }] as const,
  );
  return new Map([[DEFAULT_DESTINATION, settings], ...named]);
}

/** How to get a value that is not obvious. */
const HINTS: { readonly [Name in keyof Settings]?: string } = {
  WEBHOOK_SECRETS: '; npm run secret:new prints one',
};

const NEW_SECRET = 'WEBHOOK_SECRETS=$(npm run --silent secret:new)';

export const SETTING_NAMES: readonly string[] = Object.keys(settingsSchema.shape);

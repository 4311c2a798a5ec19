import type { z } from 'zod';

import { isLoopback } from '../../access/own-machine.ts';
import { settingsSchema } from './settings-schema.ts';

/** Every setting, with its default. Errors name all faults at once, and no secret's value. */
export interface Settings extends z.output<typeof settingsSchema> {}

/** Thrown when settings are not usable; the message names each of them, with its rule. */
export class InvalidSettingsError extends Error {
  override readonly name = 'InvalidSettingsError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`These settings are not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads the settings from the environment; an empty variable counts as unset. */
export function loadSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidSettingsError(
    parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  );
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
    );
  }
  return settings as Settings & { readonly [Key in Name]-?: NonNullable<Settings[Key]> };
}

/**
 * For the API: without keys everyone who reaches it may do everything, so then it may only listen
 * on this machine.
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

/** How to get a value that is not obvious. */
const HINTS: { readonly [Name in keyof Settings]?: string } = {
  WEBHOOK_SECRETS: '; npm run secret:new prints one',
};

export const SETTING_NAMES: readonly string[] = Object.keys(settingsSchema.shape);

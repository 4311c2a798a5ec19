/** Destinations besides the one of `WEBHOOK_URL`: settings whose names end with theirs. */
import type { z } from 'zod';

import { DEFAULT_DESTINATION } from '../destination.ts';
import { destinationSchema } from './settings-schema.ts';

/** The settings of a destination. */
export interface NamedDestination {
  readonly WEBHOOK_URL: string;
  /** The newest first. */
  readonly WEBHOOK_SECRETS: readonly string[];
  /** Requests a second, from all processes together; undefined for no limit. */
  readonly WEBHOOK_MAX_PER_SECOND?: number | undefined;
}

export type NamedDestinations = ReadonlyMap<string, NamedDestination>;

const SUFFIX = '_<NAME>';
const VARIABLE = /^(WEBHOOK_URL|WEBHOOK_SECRETS|WEBHOOK_MAX_PER_SECOND)_(.*)$/;
const NAME = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/;
const MOST_CHARACTERS = 40;
const NAME_RULE = `must end with a name of up to ${MOST_CHARACTERS} capital letters and digits, in parts joined by one underscore`;

/** The API, the ledger and the metrics write `crm-eu` for the `CRM_EU` of variables. */
function destinationName(suffix: string): string {
  return suffix.toLowerCase().replaceAll('_', '-');
}

/** The variable of a destination's URL, for messages. */
export function urlSettingOf(destination: string): string {
  if (destination === DEFAULT_DESTINATION) return 'WEBHOOK_URL';
  return `WEBHOOK_URL_${destination.toUpperCase().replaceAll('-', '_')}`;
}

/** Reads them from an environment without empty variables. Each fault names its variable. */
export function readDestinations(given: NodeJS.ProcessEnv): {
  readonly destinations: NamedDestinations;
  readonly faults: readonly string[];
} {
  const faults: string[] = [];
  const suffixes = new Set<string>();
  for (const variable of Object.keys(given)) {
    const [, , suffix] = VARIABLE.exec(variable) ?? [];
    if (suffix === undefined) continue;
    const isName = NAME.test(suffix) && suffix.length <= MOST_CHARACTERS;
    if (!isName) faults.push(`${variable}: ${NAME_RULE}`);
    else if (destinationName(suffix) === DEFAULT_DESTINATION) {
      faults.push(`${variable}: must have another name: ${variable.slice(0, -8)} sets this one`);
    } else suffixes.add(suffix);
  }
  const destinations = new Map<string, NamedDestination>();
  for (const suffix of [...suffixes].toSorted()) {
    const named = Object.keys(destinationSchema.shape).map((name) => {
      const variable = name.replace(SUFFIX, `_${suffix}`);
      return [name, given[variable]] as const;
    });
    const parsed = destinationSchema.safeParse(Object.fromEntries(named));
    for (const { path, message } of parsed.error?.issues ?? []) {
      faults.push(`${path.join('.').replace(SUFFIX, `_${suffix}`)}: ${message}`);
    }
    if (parsed.data !== undefined) destinations.set(destinationName(suffix), valuesOf(parsed.data));
  }
  return { destinations, faults };
}

function valuesOf(parsed: z.output<typeof destinationSchema>): NamedDestination {
  return {
    WEBHOOK_URL: parsed['WEBHOOK_URL_<NAME>'],
    WEBHOOK_SECRETS: parsed['WEBHOOK_SECRETS_<NAME>'],
    WEBHOOK_MAX_PER_SECOND: parsed['WEBHOOK_MAX_PER_SECOND_<NAME>'],
  };
}

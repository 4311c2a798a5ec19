import { IANAZone } from 'luxon';

import type { TzDatabase } from './tz-database.ts';

/** Node's own tz database, through Intl. */
export function createNodeTzDatabase(): TzDatabase {
  // Calling Intl is slow, and there are few correctly spelt names.
  const known = new Set<string>();

  function isKnown(timezone: string): boolean {
    if (known.has(timezone)) return true;
    if (!isFound(timezone) || isOtherwiseSpelt(timezone)) return false;
    known.add(timezone);
    return true;
  }

  return {
    version: process.versions.tz ?? 'unknown',
    isKnown,
    names: () => ['UTC', ...Intl.supportedValuesOf('timeZone')],
    offsetAt(timezone, instantMs) {
      // Checked first: luxon caches every name that it ever made a zone of.
      if (!isKnown(timezone)) throw new RangeError(`no time zone ${timezone.slice(0, 64)}`);
      // luxon returns fractional minutes. It is not used to resolve local times: for missing or
      // repeated ones, its answer depends on the current date.
      return Math.round(IANAZone.create(timezone).offset(instantMs) * 60_000);
    },
  };
}

/** Whether Intl finds it, in any case. */
function isFound(timezone: string): boolean {
  return NAME.test(timezone) && !NOT_TZ_NAMES.test(timezone) && IANAZone.isValidZone(timezone);
}

/** Intl returns the name in the database's spelling; for a link, that of its zone. */
function isOtherwiseSpelt(timezone: string): boolean {
  const { timeZone } = new Intl.DateTimeFormat('en-US', { timeZone: timezone }).resolvedOptions();
  if (timeZone === timezone) return false;
  if (timeZone.toLowerCase() === timezone.toLowerCase()) return true;
  return timezone !== 'NZ-CHAT' && (MISSPELT.test(timezone) || MISSPELT_SHORT.test(timezone));
}

const NAME = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

/** Abbreviations that only ICU knows, and Intl accepts: it takes `BST` for Bangladesh. */
const NOT_TZ_NAMES =
  /^(ACT|AET|AGT|ART|AST|BET|BST|CAT|CNT|CST|CTT|EAT|ECT|IET|IST|JST|MIT|NET|NST|PLT|PNT|PRT|PST|SST|VST|SystemV\/.*)$/i;

/**
 * In all other names of the tz database, no part begins with a lower-case letter, and no word of
 * four or more letters is all capitals.
 */
const MISSPELT = /(?:^|\/)[a-z]|[A-Z]{4}/;

/**
 * In names without a slash, a word of up to three letters is all capitals: `EST5EDT`, `GB-Eire`.
 */
const MISSPELT_SHORT = /^(?!.*\/).*(?<![A-Za-z])(?![A-Za-z]{4})[A-Z]*[a-z]/;

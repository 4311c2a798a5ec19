import type { InputsPeriod } from './occasion-inputs.ts';
import type { InputsVersion } from './rule.ts';
import type { RecordedRules, RulesHistory } from './rules.ts';

type UserPeriod = Pick<InputsPeriod, 'from' | 'date' | 'timezone' | 'recurrence'>;

/**
 * Merges what was true of an occasion with the rules of the installation: a version for each
 * instant at which either changed, from the first period on. Both come with the oldest first.
 */
export function mergeVersions(
  periods: readonly UserPeriod[],
  rules: RulesHistory,
): InputsVersion[] {
  const [first] = periods;
  if (first === undefined) return [];
  const changes = rules.filter(
    ({ from }, index) => from > first.from && !isSame(rules[index - 1], rules[index]),
  );
  const instants = [...periods, ...changes].map(({ from }) => from);
  return [...new Set(instants)]
    .toSorted((one, other) => one - other)
    .map((from) => {
      const period = periods.findLast((period) => period.from <= from) ?? first;
      const { localTime, leapDayPolicy } = rules.findLast((rule) => rule.from <= from) ?? rules[0];
      const { date, timezone, recurrence } = period;
      return {
        from,
        date,
        timezone,
        recurrence: recurrence as InputsVersion['recurrence'],
        localTime,
        leapDayPolicy,
        suspended: false,
      };
    });
}

/** A new tz database alone is no change of inputs: all versions are resolved by the one in use. */
function isSame(one: RecordedRules | undefined, other: RecordedRules | undefined): boolean {
  return one?.localTime === other?.localTime && one?.leapDayPolicy === other?.leapDayPolicy;
}

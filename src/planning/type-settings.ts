/** The settings of occasion types that planning and delivery use. */
import { type Em, epochMs, firstRow, queryIn } from '../ledger/sql.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { DateSettings } from '../time/occurrence.ts';
import type { LeapDayPolicy } from '../time/recurrence.ts';
import { presentRules, readRules, type RecordedRules, type RulesHistory } from './rules.ts';

/**
 * What decides the dates of a type, from an instant on (epoch ms); null: the installation decides.
 */
export interface TypeRules {
  readonly from: number;
  readonly localTime: string | null;
  readonly leapDayPolicy: LeapDayPolicy | null;
}

export interface TypeSettings {
  /** How late a first attempt may be; null: the installation's limit. */
  readonly lateLimitMs: number | null;
  /** Whether a late occurrence is sent at all; null: it is. */
  readonly whenLate: 'send' | 'skip' | null;
  readonly destination: string | null;
  /** A template; null: the built-in one. */
  readonly message: string | null;
  /** The oldest first. */
  readonly rules: readonly TypeRules[];
}

/** The settings of the types that were requested. */
export interface AllTypeSettings {
  /** Undefined for a type without any settings. */
  of(type: string): TypeSettings | undefined;
  /** The last change of the installation's rules or the type's. */
  rulesIdOf(type: string): number;
}

/** The destination of a type's occurrences if none is set. */
const DEFAULT_DESTINATION = 'default';

/** Reads the settings of these types; of all types, which are few, by default. */
export async function readTypeSettings(
  em: Em,
  asked: readonly string[] | null = null,
): Promise<AllTypeSettings> {
  const parameters = { asked: asked && JSON.stringify(asked) };
  const { installation, types } = firstRow(await queryIn(em)<SettingsRow>(READ, parameters));
  const byType = new Map(types.map((settings) => [settings.type, settings]));
  return {
    of: (type) => byType.get(type),
    rulesIdOf: (type) => Math.max(installation, byType.get(type)?.rulesId ?? 0),
  };
}

interface SettingsRow {
  readonly installation: number;
  readonly types: readonly (TypeSettings & { readonly type: string; readonly rulesId: number })[];
}

const READ = `
  select coalesce((select max(id) from events.rules), 0)::float8 as installation,
    coalesce((
      select json_agg(json_build_object('type', t.type,
        'lateLimitMs', t.late_limit_ms, 'whenLate', t.when_late, 'destination', t.destination,
        'message', t.message, 'rulesId', coalesce(r.last, 0), 'rules', coalesce(r.rules, '[]')))
      from events.occasion_types as t left join (
        select type, max(id) as last, json_agg(json_build_object(
          'from', ${epochMs('valid_from')}, 'localTime', delivery_time,
          'leapDayPolicy', leap_day_policy) order by id) as rules
        from events.occasion_type_rules group by type) as r using (type)
      where :asked::jsonb is null or t.type = any (
        array(select jsonb_array_elements_text(:asked::jsonb)))), '[]') as types`;

export function destinationOf(settings: TypeSettings | undefined): string {
  return settings?.destination ?? DEFAULT_DESTINATION;
}

/** Finds the rules that decide dates now, of the installation and of each occasion type. */
export function findDateSettings(orm: Orm) {
  return async (): Promise<(type?: string) => DateSettings> => {
    const em = orm.em.fork();
    const rules = await readRules(em);
    const types = await readTypeSettings(em);
    return (type) => presentRules(type === undefined ? rules : rulesOfType(rules, types.of(type)));
  };
}

/** How late a first attempt of the type may be, in ms. */
export function lateLimitOf(
  settings: Pick<TypeSettings, 'lateLimitMs' | 'whenLate'> | undefined,
  { lateAfterMs, lateLimitMs }: { readonly lateAfterMs: number; readonly lateLimitMs: number },
): number {
  if (settings?.whenLate === 'skip') return lateAfterMs;
  return settings?.lateLimitMs ?? lateLimitMs;
}

/** The rules of a type: its own settings or, where there are none, the installation's. */
export function rulesOfType(
  installation: RulesHistory,
  settings: TypeSettings | undefined,
): RulesHistory {
  const [first, ...others] = installation;
  const ofType = settings?.rules ?? [];
  const instants = [...new Set([...others, ...ofType].map(({ from }) => from))];
  const later = instants
    .toSorted((one, other) => one - other)
    .map((from): RecordedRules => {
      const rules = installation.findLast((rule) => rule.from <= from) ?? first;
      const own = ofType.findLast((rule) => rule.from <= from);
      const localTime = own?.localTime ?? rules.localTime;
      const leapDayPolicy = own?.leapDayPolicy ?? rules.leapDayPolicy;
      return { from, localTime, leapDayPolicy, tzVersion: rules.tzVersion };
    });
  return [first, ...later];
}

import { resolveNominalDate } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import type { OccurrenceTraces } from '../ledger/occurrence-traces.ts';
import type { ClaimedOccurrence } from '../ledger/types.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { TracePoint } from '../platform/trace-point.ts';
import { findRecipients, type OccasionInputs } from '../planning/occasion-inputs.ts';
import { type DateRulesRecord, presentRules, readRules } from '../planning/rules.ts';
import { namesDate, type Recurrence } from '../time/recurrence.ts';

/** The occasion of an occurrence, as it is now. */
export interface RecipientOccasion {
  readonly id: string;
  readonly externalId: string | null;
  readonly type: string;
  readonly date: string;
  readonly recurrence: string;
  /** What the receiver is handed as it is: a JSON object, or null. */
  readonly data: Readonly<Record<string, unknown>> | null;
}

/** A user as delivery sees it, read in bulk at the moment of sending. */
export interface Recipient {
  readonly userId: string;
  readonly externalId: string | null;
  readonly firstName: string;
  /** May be empty. */
  readonly lastName: string;
  readonly timezone: string;
  readonly occasion: RecipientOccasion;
  /** Nothing is sent to the user or for this occasion for now. */
  readonly suspended: boolean;
  /** The schedule inputs of now give the occurrence the instant that it was planned for. */
  readonly isAsPlanned: boolean;
  /** The trace that the occurrence belongs to, if traces are on. */
  readonly trace?: TracePoint | undefined;
}

/** Resolves by the occurrence's key, without those whose user does not exist. */
export type FindRecipients = (
  claimed: readonly ClaimedOccurrence[],
) => Promise<Map<string, Recipient>>;

/**
 * Reads the users of claimed rows, and compares the plan with what is true of them now.
 *
 * @param traces null when traces are off
 */
export function createFindRecipients(
  orm: Orm,
  tz: TzDatabase,
  traces: Pick<OccurrenceTraces, 'find'> | null,
): FindRecipients {
  const find = findRecipients(orm);

  return async (claimed) => {
    const [found, traceOf] = await Promise.all([
      find(claimed),
      traces?.find(claimed.map(({ key }) => key)),
    ]);
    let rules: DateRulesRecord | null = null;
    const recipients = new Map<string, Recipient>();
    for (const row of claimed) {
      const { key, inputsAt, nominalDate, dueAt } = row;
      const user = found.get(key);
      if (user === undefined) continue;
      const { inputs, ...recipient } = user;
      let isAsPlanned = inputs !== null && inputs.changedAt === inputsAt;
      if (inputs !== null && !isAsPlanned) {
        rules ??= presentRules(await readRules(orm.em.fork()));
        isAsPlanned = dueAtUnder(inputs, nominalDate, rules, tz) === dueAt;
      }
      const occasion = {
        id: row.occasionId,
        externalId: null,
        type: row.occasionType,
        date: row.date,
        recurrence: inputs?.recurrence ?? 'once',
        data: null,
      };
      recipients.set(key, { ...recipient, occasion, isAsPlanned, trace: traceOf?.get(key) });
    }
    return recipients;
  };
}

/** The due instant of a nominal date, epoch ms; null if the inputs do not name it, or have none. */
export function dueAtUnder(
  { recurrence, date, timezone }: Pick<OccasionInputs, 'recurrence' | 'date' | 'timezone'>,
  nominalDate: string,
  { localTime, leapDayPolicy }: Pick<DateRulesRecord, 'localTime' | 'leapDayPolicy'>,
  tz: TzDatabase,
): number | null {
  const series = { date, recurrence: recurrence as Recurrence };
  if (!tz.isKnown(timezone) || !namesDate(series, nominalDate)) return null;
  const inputs = { timezone, localTime, leapDayPolicy, offsetDays: 0 };
  return resolveNominalDate(nominalDate, inputs, tz).dueAt;
}

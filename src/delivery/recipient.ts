import { resolveNominalDate } from '../time/occurrence.ts';
import type { TzDatabase } from '../time/tz-database.ts';
import { occurrenceKey } from '../ledger/occurrence-key.ts';
import type { OccurrenceTraces } from '../ledger/occurrence-traces.ts';
import type { ClaimedOccurrence } from '../ledger/types.ts';
import { messageOf } from '../occasion-types/built-in.ts';
import type { RenderMessage } from '../occasion-types/message-template.ts';
import type { Orm } from '../platform/database/orm.ts';
import type { TracePoint } from '../platform/trace-point.ts';
import type { DateLimits } from '../planning/date-settings.ts';
import { findRecipients, type OccasionInputs } from '../planning/occasion-inputs.ts';
import {
  type DateRulesRecord,
  presentRules,
  readRules,
  type RulesHistory,
} from '../planning/rules.ts';
import {
  destinationOf,
  lateLimitOf,
  readTypeSettings,
  rulesOfType,
} from '../planning/type-settings.ts';
import { namesDate, type Recurrence } from '../time/recurrence.ts';

/** The occasion of an occurrence, as it is now. */
export interface RecipientOccasion {
  readonly id: string;
  readonly externalId: string | null;
  readonly type: string;
  /** The first day; of a birthday, the date of birth. */
  readonly date: string;
  readonly recurrence: string;
  /** Passed on to the receiver unchanged: a JSON object, or null. */
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
  /** The occasion was deleted, and its user was not. */
  readonly isOccasionGone: boolean;
  /** Nothing is sent for now to the user or for this occasion. */
  readonly suspended: boolean;
  /** The current schedule inputs give the occurrence this key, and the instant of its plan. */
  readonly isAsPlanned: boolean;
  /** How late a first attempt of the occasion type may be, in ms. */
  readonly lateLimitMs: number;
  /** The current destination of the occasion type. */
  readonly destination: string;
  /** The current message of the occasion type. */
  readonly message: RenderMessage;
  /** The trace that the occurrence belongs to, if traces are on. */
  readonly trace?: TracePoint | undefined;
}

/** Resolves with a map by the occurrence's key, without those whose user does not exist. */
export type FindRecipients = (
  claimed: readonly ClaimedOccurrence[],
) => Promise<Map<string, Recipient>>;

export interface RecipientTerms extends Pick<DateLimits, 'lateAfterMs' | 'lateLimitMs'> {
  readonly tz: TzDatabase;
}

/**
 * Reads the users of claimed rows, and compares each plan with their current state.
 *
 * @param traces null when traces are off
 */
export function createFindRecipients(
  orm: Orm,
  terms: RecipientTerms,
  traces: Pick<OccurrenceTraces, 'find'> | null,
): FindRecipients {
  const find = findRecipients(orm);

  return async (claimed) => {
    const claimedTypes = [...new Set(claimed.map(({ occasionType }) => occasionType))];
    const [found, types, traceOf] = await Promise.all([
      find(claimed),
      readTypeSettings(orm.em.fork(), claimedTypes),
      traces?.find(claimed.map(({ key }) => key)),
    ]);
    const messages = new Map(
      claimedTypes.map((type) => [type, messageOf(type, types.of(type)?.message)]),
    );
    let rules: RulesHistory | null = null;
    const recipients = new Map<string, Recipient>();
    for (const row of claimed) {
      const { key, occasionType: type, occasionId: id, nominalDate, dueAt } = row;
      const user = found.get(key);
      if (user === undefined) continue;
      const { inputs, wasSuspended, isUserSuspended, occasionExternalId, data, ...names } = user;
      let isAsPlanned = inputs?.changedAt === row.inputsAt && types.rulesIdOf(type) === row.rulesId;
      if (inputs !== null && !isAsPlanned) {
        rules ??= await readRules(orm.em.fork());
        const ofType = presentRules(rulesOfType(rules, types.of(type)));
        isAsPlanned =
          occurrenceKey({ type, id }, nominalDate, inputs.recurrence) === key &&
          dueAtUnder(inputs, nominalDate, ofType, terms.tz) === dueAt;
      }
      const { date, recurrence } = inputs ?? { date: row.date, recurrence: 'once' };
      recipients.set(key, {
        ...names,
        occasion: { id, externalId: occasionExternalId, type, date, recurrence, data },
        isOccasionGone: inputs === null,
        suspended: inputs?.suspended ?? isUserSuspended,
        // After a suspension is lifted, nothing late is sent: the next plan decides the outcome.
        isAsPlanned: isAsPlanned && !wasSuspended,
        lateLimitMs: lateLimitOf(types.of(type), terms),
        destination: destinationOf(types.of(type)),
        message: messages.get(type) ?? messageOf(type),
        trace: traceOf?.get(key),
      });
    }
    return recipients;
  };
}

type DecidesDates = Pick<
  OccasionInputs,
  'recurrence' | 'rrule' | 'date' | 'offsetDays' | 'timezone' | 'localTime'
>;

/** The due instant of a nominal date, epoch ms; null if the inputs do not name it, or have none. */
export function dueAtUnder(
  inputs: DecidesDates,
  nominalDate: string,
  { localTime, leapDayPolicy }: Pick<DateRulesRecord, 'localTime' | 'leapDayPolicy'>,
  tz: TzDatabase,
): number | null {
  const { date, rrule, timezone, offsetDays } = inputs;
  const series = { date, recurrence: inputs.recurrence as Recurrence, rrule };
  if (!tz.isKnown(timezone) || !namesDate(series, nominalDate)) return null;
  const local = { timezone, localTime: inputs.localTime ?? localTime, leapDayPolicy, offsetDays };
  return resolveNominalDate(nominalDate, { rrule, ...local }, tz).dueAt;
}

/**
 * One occasion's life, played fast against a ledger in memory: changes of mind, a planner and a
 * sender that are away or slow, receivers that fail. Each plan is held against the oracle.
 */
import {
  type InputsVersion,
  keptDateOf,
  type ResolvedOccurrence,
} from '../../src/planning/fell-due.ts';
import { decidePlan, type PlanDecision, type PlanInput } from '../../src/planning/rule.ts';
import { bundledTz } from '../support/tz-databases.ts';
import { createTruth, type Owed } from './truth.ts';

const HOUR_MS = 3_600_000;

export type Inputs = Omit<InputsVersion, 'from'>;
export type Change = Partial<Inputs>;

export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  /** Up to the instant of the open row, and this much more. */
  | { readonly do: 'waitForNext'; readonly ms: number }
  /** Several at one instant: all but the last were in force for no time. */
  | { readonly do: 'change'; readonly changes: readonly Change[] }
  | { readonly do: 'sender' | 'planner'; readonly is: 'up' | 'away' }
  /** How long a plan takes to be made, once there is a reason for it. */
  | { readonly do: 'planDelay'; readonly ms: number }
  /** A plan reads the clock this long before the inputs, and misses changes made in between. */
  | { readonly do: 'planBlindness'; readonly ms: number }
  | { readonly do: 'receiver'; readonly answers: Answer; readonly afterMs: number }
  | { readonly do: 'delete' };

/** What the receiver says from now on. */
export type Answer = 'yes' | 'not now' | 'never';

export interface Life {
  take(step: Step): void;
  /** Brings all up, lets what waits happen, and lives on for a while: what falls due is delivered. */
  calmDown(ms: number): void;
  /** Everything that fell due is accounted for. */
  checkAll(): void;
  rows(): ReadonlyMap<string, Row>;
  fallen(): ReadonlyMap<string, readonly number[]>;
}

export interface Row {
  readonly key: string;
  readonly nominalDate: string;
  /** By the inputs of its plan. */
  readonly keptDate: string;
  readonly state: 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'SKIPPED';
  readonly reason: string | null;
  readonly dueAt: number | null;
  readonly supersededAt: number | null;
  readonly inputsAt: number;
  readonly attempts: number;
  readonly firstAttemptAt: number | null;
  readonly nextAttemptAt: number | null;
}

export interface LifeOptions {
  readonly type: string;
  readonly createdAt: number;
  readonly inputs: Inputs;
  readonly lateLimitMs: number;
  readonly giveUpAfterMs: number;
  readonly plannerStarts: 'up' | 'away';
  /** A first occurrence may be years away. */
  readonly longestWaitMs: number;
}

export function createLife(options: LifeOptions): Life {
  const { createdAt, lateLimitMs, giveUpAfterMs, longestWaitMs } = options;
  const occasion = { type: options.type, id: 'b4c1' };
  const versions: InputsVersion[] = [{ ...options.inputs, from: createdAt }];
  let endedAt: number | null = null;
  let now = createdAt;
  const truth = createTruth(occasion, createdAt, lateLimitMs);
  truth.change(present(), createdAt);

  const rows = new Map<string, Row>();
  let openKey: string | null = null;
  /** Of what is gone, a claim knows only that. */
  const endedByClaim = new Set<string>();
  /** Keys that were attempted, and then blocked: from then on they are too late as if never tried. */
  const forgotten = new Set<string>();
  let plannedAt: number | null = null;
  let lastSettled: string | null = null;
  /** When the next plan is made; there is a reason for it. */
  let planAt: number | null = createdAt;
  let planDelayMs = 0;
  let blindnessMs = 0;
  let isPlannerUp = options.plannerStarts === 'up';
  let isSenderUp = true;
  let receiver: { answers: Answer; afterMs: number } = { answers: 'yes', afterMs: 0 };
  /** The attempt that is on the wire, and when it is answered. */
  let flight: { readonly key: string; readonly startedAt: number; readonly until: number } | null =
    null;

  function present(): InputsVersion {
    return versions.at(-1) as InputsVersion;
  }

  function openRow(): Row | null {
    return openKey === null ? null : (rows.get(openKey) ?? null);
  }

  function write(row: Row, fields: Partial<Row>): void {
    const written = { ...row, ...fields };
    rows.set(row.key, written);
    if (written.state === 'PENDING' || written.state === 'PROCESSING') {
      check(openKey === null || openKey === row.key, 'two open rows');
      openKey = row.key;
    } else if (openKey === row.key) {
      openKey = null;
    }
  }

  const isFinal = (key: string): boolean => {
    const row = rows.get(key);
    return row !== undefined && isFinalRow(row);
  };
  const finalRows = () => [...rows.values()].filter(isFinalRow);

  function planInput(): PlanInput {
    const open = openRow();
    return {
      occasion,
      createdAt,
      endedAt,
      endReason: 'occasion_deleted',
      versions,
      tz: bundledTz,
      plannedAt,
      open: open && { ...open },
      lastSettled,
      finalDates: finalRows().map(({ nominalDate }) => nominalDate),
      isFinal: (one) =>
        isFinal(one.key) || finalRows().some(({ keptDate }) => keptDate === keptDateOf(one)),
      now,
      lateNow: now,
      lateLimitMs,
    };
  }

  function plan(): void {
    const clock = Math.max(now - blindnessMs, plannedAt ?? createdAt);
    const seen = versions.filter(({ from }) => from <= clock);
    const isBlind = seen.length < versions.length && endedAt === null;
    const input = isBlind ? { ...planInput(), versions: seen, now: clock } : planInput();
    const decision = decidePlan(input);
    apply(decision, input, isBlind);
    if (decision.next.kind !== 'blocked') plannedAt = clock;
    // The changes themselves ask for a plan, which comes after.
    if (isBlind) planAt = now + blindnessMs;
    if (isBlind || blindnessMs > 0 || endedAt !== null) return;

    if (rows.size < 20) {
      // The window since the last plan leaves out only what is accounted for.
      const ofAll = decidePlan({ ...planInput(), plannedAt: null });
      check(isSame(decision, ofAll), 'another plan from the whole life');
    }
    const again = decidePlan(planInput());
    check(isSame(again, decision), 'a second plan is another');
    // While it is blocked, all since the last plan is looked at again.
    const isBlocked = again.next.kind === 'blocked';
    check(isBlocked || again.skipped.length === 0, 'a second plan skips more');
  }

  /** The planner's statements, and what holds of any decision. */
  function apply(
    { open: action, skipped, next }: PlanDecision,
    input: PlanInput,
    isBlind: boolean,
  ): void {
    const { from: inputsAt } = input.versions.at(-1) as InputsVersion;
    truth.advance(now);
    const open = openRow();
    check((action.action === 'none') === (open === null), 'an open row was forgotten');
    if (open !== null && action.action === 'remove') {
      check(open.attempts === 0, 'a row with attempts is removed');
      // What it is blind for may have put it behind: the next plan says so.
      const mayRemove = isBlind || !truth.fallen().has(open.key);
      check(mayRemove, () => `${open.key} fell due, and is removed`);
      rows.delete(open.key);
      openKey = null;
    } else if (open !== null && action.action === 'settle') {
      const isOwnReason =
        (endedAt !== null && action.reason === 'occasion_deleted') || forgotten.has(open.key);
      check(
        isBlind || isOwnReason || truth.reasonsOf(open.key).includes(action.reason),
        () => `${open.key} ends ${action.reason}, not ${truth.reasonsOf(open.key)}`,
      );
      settle(open, open.attempts > 0 ? 'FAILED' : 'SKIPPED', action.reason);
    }
    for (const one of skipped) {
      const row = rows.get(one.key);
      check(one.key !== open?.key, 'the open row is settled twice');
      check(row === undefined || row.state === 'SKIPPED' || row.state === 'FAILED', 'not to skip');
      if (row === undefined) settle(rowOf(one), 'SKIPPED', one.reason);
    }
    if (next.kind === 'blocked') {
      const row = rows.get(next.key);
      check(!isFinal(next.key), 'a settled key is blocked');
      write(row ?? rowOf({ ...next, dueAt: null }), {
        keptDate: keptDateOf(next),
        state: 'PENDING',
        reason: null,
        dueAt: null,
        nextAttemptAt: null,
        firstAttemptAt: null,
        inputsAt,
      });
      truth.forgetAttempts();
      if ((row?.attempts ?? 0) > 0) forgotten.add(next.key);
      return;
    }
    if (next.kind === 'none') {
      if (isBlind) return;
      check(truth.firstToCome(now) === null, 'something is to come');
      check(truth.owed() === null, 'something is owed');
      return;
    }
    const { occurrence } = next;
    if (!isBlind) checkPlanned(occurrence, 'at' in occurrence, next.supersededAt);
    upsert(occurrence, next.supersededAt, inputsAt);
  }

  /** The oracle says the same: what is owed, otherwise what comes first. */
  function checkPlanned(
    planned: ResolvedOccurrence,
    fellDue: boolean,
    supersededAt: number | null,
  ): void {
    const owed = truth.owed();
    const expected: Owed | null = owed ?? truth.firstToCome(now);
    check(expected !== null, () => `${planned.key} is planned, and no occurrence follows`);
    check(
      planned.key === expected?.key && planned.dueAt === expected.dueAt,
      () =>
        `planned is ${planned.key} at ${iso(planned.dueAt)}, not ${expected?.key} at ${iso(expected?.dueAt)}`,
    );
    check(fellDue === (owed !== null), 'owed, or not');
    const after = truth.firstToCome(owed === null ? planned.dueAt : now, expected ?? undefined);
    check(
      supersededAt === (after?.dueAt ?? null),
      () => `superseded at ${iso(supersededAt)}, not ${iso(after?.dueAt)}`,
    );
  }

  function upsert(planned: ResolvedOccurrence, supersededAt: number | null, inputsAt: number) {
    const row = rows.get(planned.key) ?? rowOf(planned);
    check(!isFinal(row.key), () => `${row.key} is planned again`);
    const isNew = row.state !== 'PENDING' || row.dueAt !== planned.dueAt;
    write(row, {
      state: 'PENDING',
      reason: null,
      nominalDate: planned.nominalDate,
      keptDate: keptDateOf(planned),
      dueAt: planned.dueAt,
      supersededAt,
      inputsAt,
      firstAttemptAt: isNew ? null : row.firstAttemptAt,
      nextAttemptAt: isNew ? planned.dueAt : (row.nextAttemptAt ?? planned.dueAt),
    });
  }

  /** A claim: what ended it meanwhile settles it, in the order in which that came. */
  function claim(row: Row): void {
    truth.advance(now);
    const dueAt = row.dueAt as number;
    check(now >= dueAt, () => `${row.key} claimed early`);
    if (endedAt !== null) {
      endedByClaim.add(row.key);
      return finish(row, 'occasion_deleted');
    }
    const ends: [at: number, reason: string][] = [];
    const { from, suspended } = present();
    if (suspended) ends.push([suspendedSince(), 'suspended']);
    if (row.supersededAt !== null && row.supersededAt <= now) {
      ends.push([row.supersededAt, 'superseded']);
    }
    if (row.firstAttemptAt === null && now - dueAt > lateLimitMs) {
      ends.push([dueAt + lateLimitMs + 1, 'too_late']);
    }
    // Of another plan than today's: the next plan says what became of it.
    if (from !== row.inputsAt && (ends.length > 0 || !isAsPlanned(row))) {
      return write(row, { nextAttemptAt: null });
    }
    const [first] = ends.toSorted(([one], [other]) => one - other);
    if (first !== undefined) return finish(row, first[1]);

    // It fell due; or its date was corrected away and back, and nobody has planned that yet.
    check(
      truth.owed()?.key === row.key || (from !== row.inputsAt && isAsPlanned(row)),
      () => `${row.key} is sent, and ${truth.owed()?.key} is owed`,
    );
    flight = { key: row.key, startedAt: now, until: now + receiver.afterMs };
    write(row, { state: 'PROCESSING', nextAttemptAt: null });
    truth.attempted(row.key);
  }

  function finish(row: Row, reason: string): void {
    settle(row, row.attempts > 0 ? 'FAILED' : 'SKIPPED', reason);
  }

  function land(): void {
    const { key, startedAt } = flight as NonNullable<typeof flight>;
    flight = null;
    truth.advance(now);
    const row = rows.get(key) as Row;
    const firstAttemptAt = row.firstAttemptAt ?? startedAt;
    const tried: Row = { ...row, attempts: row.attempts + 1, firstAttemptAt, state: 'PENDING' };
    if (receiver.answers === 'yes') return settle(tried, 'COMPLETED', null);
    if (receiver.answers === 'never') return settle(tried, 'FAILED', 'refused');
    const nextAttemptAt = now + 5 * HOUR_MS;
    if (nextAttemptAt > firstAttemptAt + giveUpAfterMs) return settle(tried, 'FAILED', 'gave_up');
    if (tried.supersededAt !== null && nextAttemptAt >= tried.supersededAt) {
      return settle(tried, 'FAILED', 'superseded');
    }
    write(tried, { nextAttemptAt });
    planSoon();
  }

  function settle(row: Row, state: Row['state'], reason: string | null): void {
    check(!isFinal(row.key), () => `${row.key} settled twice`);
    write(row, { state, reason, nextAttemptAt: null });
    if (isFinal(row.key)) {
      if (lastSettled === null || row.nominalDate > lastSettled) lastSettled = row.nominalDate;
      truth.settle(row.key, row.nominalDate, row.keptDate);
    }
    planSoon();
  }

  function planSoon(): void {
    planAt = Math.min(planAt ?? Infinity, now + planDelayMs);
  }

  /** Lives until `end`, doing whatever is due by then, in order. */
  function live(end: number): void {
    for (let steps = 0; ; steps += 1) {
      check(steps < 50_000, 'an endless life');
      const [what, at] = nextEvent();
      if (at > end) break;
      now = Math.max(now, at);
      if (what === 'land') {
        land();
      } else if (what === 'plan') {
        planAt = null;
        plan();
      } else {
        claim(openRow() as Row);
      }
    }
    now = end;
  }

  function nextEvent(): [what: 'land' | 'plan' | 'claim', at: number] {
    const plan = isPlannerUp && flight === null ? (planAt ?? Infinity) : Infinity;
    const claim = isSenderUp && flight === null ? (openRow()?.nextAttemptAt ?? Infinity) : Infinity;
    const land = flight?.until ?? Infinity;
    if (land <= plan && land <= claim) return ['land', land];
    return plan <= claim ? ['plan', plan] : ['claim', claim];
  }

  function suspendedSince(): number {
    const resumed = versions.findLastIndex(({ suspended }) => !suspended);
    return versions[resumed + 1]?.from ?? now;
  }

  /** Whether today's inputs give the row's nominal date the same instant, and the same next one. */
  function isAsPlanned(row: Row): boolean {
    const dueAt = row.dueAt as number;
    const { next } = decidePlan({
      ...planInput(),
      versions: [{ ...present(), from: dueAt - 1 }],
      createdAt: dueAt - 1,
      plannedAt: null,
      open: null,
      lastSettled: null,
      finalDates: [],
      isFinal: () => false,
      now: dueAt - 1,
      lateNow: dueAt - 1,
    });
    return (
      next.kind === 'planned' &&
      next.occurrence.nominalDate === row.nominalDate &&
      next.occurrence.dueAt === dueAt &&
      next.supersededAt === row.supersededAt
    );
  }

  function rowOf(
    one: Pick<ResolvedOccurrence, 'key' | 'nominalDate' | 'version'> & { dueAt: number | null },
  ): Row {
    return {
      key: one.key,
      nominalDate: one.nominalDate,
      keptDate: keptDateOf(one),
      state: 'PENDING',
      reason: null,
      dueAt: one.dueAt,
      supersededAt: null,
      inputsAt: present().from,
      attempts: 0,
      firstAttemptAt: null,
      nextAttemptAt: null,
    };
  }

  function take(step: Step): void {
    switch (step.do) {
      case 'wait':
        return live(now + step.ms);
      case 'waitForNext':
        return live(
          Math.max(now, Math.min(openRow()?.dueAt ?? now, now + longestWaitMs) + step.ms),
        );
      case 'change':
        if (endedAt !== null) return;
        // No plan and no change are made at the very same time.
        now += 1;
        for (const change of step.changes) {
          versions.push({ ...present(), ...change, from: now });
          truth.change(present(), now);
        }
        planSoon();
        break;
      case 'sender':
        isSenderUp = step.is === 'up';
        break;
      case 'planner':
        isPlannerUp = step.is === 'up';
        break;
      case 'planDelay':
        planDelayMs = step.ms;
        break;
      case 'planBlindness':
        blindnessMs = step.ms;
        break;
      case 'receiver':
        receiver = step;
        break;
      case 'delete':
        if (endedAt !== null) return;
        now += 1;
        endedAt = now;
        truth.end(now, 'occasion_deleted');
        planSoon();
    }
    live(now);
  }

  return {
    take,
    rows: () => rows,
    fallen: () => truth.fallen(),
    calmDown(ms) {
      take({ do: 'receiver', answers: 'yes', afterMs: 0 });
      take({ do: 'planDelay', ms: 0 });
      take({ do: 'planBlindness', ms: 0 });
      const isBlocked = !isResolvable(present());
      if (isBlocked) take({ do: 'change', changes: [{ timezone: 'Europe/London' }] });
      planSoon();
      take({ do: 'sender', is: 'up' });
      take({ do: 'planner', is: 'up' });
      take({ do: 'wait', ms: 30 * HOUR_MS });
      const calmFrom = now;
      const settledBefore = new Set([...rows.keys()].filter(isFinal));
      const passedBefore = lastSettled ?? '';
      take({ do: 'wait', ms });
      planSoon();
      live(now);
      truth.advance(now);
      if (present().suspended || endedAt !== null) return;
      // Nothing is burned: whatever falls due from here on is delivered.
      for (const [key, instants] of truth.fallen()) {
        if ((instants.at(-1) ?? 0) <= calmFrom || settledBefore.has(key)) continue;
        if ((rows.get(key)?.nominalDate ?? '') < passedBefore) continue;
        check(rows.get(key)?.state === 'COMPLETED', () => `${key} is not delivered in quiet times`);
      }
    },
    checkAll() {
      truth.advance(now);
      for (const key of truth.fallen().keys()) {
        const row = rows.get(key);
        check(row !== undefined, () => `${key} is unaccounted for`);
        if (row === undefined || isFinal(key)) continue;
        if (row.state === 'PENDING') {
          // To be sent, or to fall due again.
          check(
            row.dueAt === null || row.key === planned()?.key,
            () => `${key} is open, and not planned`,
          );
          continue;
        }
        check(
          truth.reasonsOf(key).includes(row.reason ?? '') || endedByClaim.has(key),
          () => `${key} is ${row.state} ${row.reason}, and not ${truth.reasonsOf(key)}`,
        );
      }
      for (const row of rows.values()) {
        const isPhantom = row.state === 'SKIPPED' && !truth.fallen().has(row.key);
        check(!isPhantom || row.reason === 'occasion_deleted', () => `${row.key} never fell due`);
      }
    },
  };

  function planned(): Owed | null {
    return truth.owed() ?? truth.firstToCome(now);
  }
}

function isFinalRow({ state, reason }: Row): boolean {
  return state === 'COMPLETED' || (state === 'FAILED' && reason !== 'date_changed');
}

function isResolvable({ timezone }: InputsVersion): boolean {
  return timezone !== 'Mars/Olympus_Mons';
}

function isSame(one: PlanDecision, other: PlanDecision): boolean {
  if (one.next.kind !== 'planned' || other.next.kind !== 'planned') {
    return one.next.kind === other.next.kind;
  }
  return (
    one.next.occurrence.key === other.next.occurrence.key &&
    one.next.occurrence.dueAt === other.next.occurrence.dueAt &&
    one.next.supersededAt === other.next.supersededAt
  );
}

function iso(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? 'never' : new Date(ms).toISOString();
}

function check(holds: boolean, message: string | (() => string)): void {
  if (!holds) throw new Error(typeof message === 'string' ? message : message());
}

// @module-tag long
import { describe, expect, test } from 'vitest';

import { exploreAll, type Liveness, type Violation } from './explore.ts';
import { LIVES, type Life } from './lives.ts';
import { allRules, RULE_NAMES, RULES, without, type RuleName } from './rules.ts';

/** Each of them alone gets everything settled, from any state on. */
const EITHER_PATH: readonly Liveness[] = [
  { path: 'ledger' },
  { path: 'workflow' },
  { path: 'calls' },
];

const lives = Object.keys(LIVES) as Life[];

describe('with all its rules the protocol holds', () => {
  test.each(lives)('in all interleavings of: %s', (life) => {
    const { states, violation } = play(life, allRules(), EITHER_PATH);
    expect(inWords(violation)).toBe('holds');
    expect(states).toBeGreaterThan(1_000);
  });

  test.each(['refusing', 'passing over'] as const)(
    'workflows send while dispatchers are alive that are %s',
    (presence) => {
      const { violation } = play('sending', allRules(), [{ path: 'workflow', presence }]);
      expect(inWords(violation)).toBe('holds');
    },
  );
});

interface Missing {
  readonly life: Life;
  /** What no longer holds. */
  readonly breaks: string;
  readonly paths?: readonly Liveness[];
}

const TWICE_CLAIMED = 'claimed twice under one lease';
const TWICE_SENT = 'sent twice only in two windows';
const KNOWN = 'sent after the ledger knew';
const SETTLED = 'what is due ends settled';
const NEXT = 'what comes next ends planned';
const REST = 'everything comes to rest';
const WAKE = 'notified_wake_at is never earlier than the true wake';
const ENDS = "an ended occasion's workflow ends";

const WITHOUT: Readonly<Record<RuleName, Missing>> = {
  leasedIsNotClaimed: { life: 'sending', breaks: TWICE_CLAIMED },
  expiredIsClaimed: { life: 'sending', breaks: SETTLED },
  claimTakesToken: { life: 'sending', breaks: TWICE_CLAIMED },
  bothClocks: { life: 'clocks', breaks: 'never early' },
  graceAfterOutage: { life: 'outage', breaks: TWICE_SENT },
  graceAtExecution: { life: 'outage', breaks: TWICE_SENT },
  silenceIsOutage: { life: 'outage', breaks: TWICE_SENT },
  outcomesFirst: { life: 'outage', breaks: TWICE_SENT },

  checksUser: {
    life: 'deletion',
    breaks: 'a deleted user is sent only what is on the wire already',
  },
  checksInputs: { life: 'moving', breaks: 'sent only as the inputs of now say' },
  releasedWaitsForPlan: { life: 'moving', breaks: REST },
  checksSuperseded: { life: 'daily', breaks: 'not sent once the next has fallen due' },
  sendsWithinLease: { life: 'outage', breaks: TWICE_SENT },

  tokenAtRecord: { life: 'sending', breaks: KNOWN },
  tokenAtRelease: { life: 'sending', breaks: TWICE_SENT },
  deliveredCounts: { life: 'sending', breaks: KNOWN },

  leasedIsDeferred: { life: 'daily', breaks: TWICE_SENT },
  movedExpiredWaits: { life: 'moved in an outage', breaks: TWICE_SENT },
  planReadsUnderLock: { life: 'revival', breaks: NEXT },
  outboxAfterPlan: { life: 'notifying', breaks: NEXT },
  finalIsNotPlanned: { life: 'sending', breaks: KNOWN },
  oneOpenRow: { life: 'ended twice', breaks: 'one open row an occasion' },
  settledIsFollowed: { life: 'sending', breaks: NEXT },
  redeliveredIsNoPlan: {
    life: 'redelivery beside a plan',
    breaks: 'a redelivery ends by an attempt, or with its user',
  },
  deletionSettlesAll: { life: 'deletion', breaks: 'nothing of a deleted user stays open' },
  wakeFollowsPlan: { life: 'notifying', breaks: REST },
  revivalForgetsEnd: { life: 'ended twice', breaks: ENDS },
  revivalForgetsWake: { life: 'revival', breaks: WAKE },

  tellsThenWrites: { life: 'notifying', breaks: WAKE },
  writesByVersion: { life: 'there and back', breaks: WAKE },
  signalsExisting: { life: 'notifying', breaks: WAKE },
  cutsDelay: { life: 'notifying', breaks: WAKE },
  endSignals: { life: 'ended twice', breaks: ENDS },
  endCancels: { life: 'ended twice', breaks: ENDS },
  endNeverStarts: { life: 'revival', breaks: 'nothing ended is resurrected' },
  overtakenEndsAgain: { life: 'ended twice', breaks: ENDS },
  redeliveryIsNotified: { life: 'redelivery', breaks: SETTLED },

  changedCallsAgain: { life: 'notifying', breaks: WAKE },
  changedIsHandedOn: { life: 'notifying', breaks: WAKE },
  cancelLooksAgain: { life: 'ended twice', breaks: WAKE },
  endedReturns: { life: 'ended twice', breaks: ENDS },

  readsAndWritesAtOnce: { life: 'ended twice', breaks: ENDS },
  lastCallAnswers: { life: 'there and back', breaks: WAKE },
  callsInOrder: { life: 'there and back', breaks: WAKE },
  endedForgetsWake: { life: 'ended twice', breaks: WAKE },
  plansFirst: { life: 'sending', breaks: REST },
  sendsRedeliveries: { life: 'redelivery', breaks: REST },
  stampsExpire: { life: 'sending', breaks: SETTLED },
  refusingIsSilent: {
    life: 'sending',
    breaks: SETTLED,
    paths: [{ path: 'workflow', presence: 'refusing' }],
  },
  passedOverIsSent: {
    life: 'sending',
    breaks: SETTLED,
    paths: [{ path: 'workflow', presence: 'passing over' }],
  },
};

describe('without one of its rules the protocol breaks', () => {
  test.each(RULE_NAMES.map((rule) => ({ rule, text: RULES[rule] })))('$rule: $text', ({ rule }) => {
    const { life, breaks, paths = EITHER_PATH } = WITHOUT[rule];
    const { violation } = play(life, without(rule), paths);
    if (violation !== null && process.env['PROTOCOL_TRACES'] !== undefined) {
      console.log(`Without ${rule}: ${inWords(violation)}`);
    }
    expect(violation?.invariant).toBe(breaks);
  });
});

function play(life: Life, rules: ReturnType<typeof allRules>, paths: readonly Liveness[]) {
  return exploreAll({ rules, bounds: LIVES[life], presence: null }, paths);
}

/** The shortest way to what does not hold, a step a line. */
function inWords(violation: Violation | null): string {
  if (violation === null) return 'holds';
  return `violated: ${violation.invariant}\n  ${violation.trace.join('\n  ')}`;
}

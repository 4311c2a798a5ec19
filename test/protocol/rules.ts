/**
 * The rules of the protocol. With all of them it holds; without any one of them the model finds a
 * life in which it does not (protocol.test.ts).
 */
export const RULES = {
  // The claim
  leasedIsNotClaimed: 'A row under a lease is claimed by nobody before the lease has ended.',
  expiredIsClaimed: 'A row whose lease has ended is claimed again, as its process may have died.',
  claimTakesToken: 'Each claim gives the row a new lease token.',
  bothClocks: "A row is due by the database's clock and by the clock of the process.",
  graceAfterOutage:
    'After a start or a failed call of the database no process takes an expired lease for a moment, so that who holds an outcome writes it first.',
  graceAtExecution:
    'Whether a claim may take expired leases is judged when it is executed, not when it is sent.',
  silenceIsOutage:
    'A process that the database has not answered for a while counts as one that has just started.',
  outcomesFirst:
    'An outcome that could not be written is written before anything else, as soon as the database answers.',

  // The claimed row
  checksUser: 'A claimed row whose user is gone is settled, not sent.',
  checksInputs: 'A claimed row that the inputs of now no longer name like this is not sent.',
  releasedWaitsForPlan:
    'Such a row is released: it is claimed by nobody until it has been planned.',
  checksSuperseded: 'A claimed row is settled if the next occurrence has fallen due.',
  sendsWithinLease: 'A claim is sent only while enough of its lease is left for the request.',

  // The outcome
  tokenAtRecord: 'An outcome other than a delivery changes the row only under the latest token.',
  tokenAtRelease: 'A row is released or settled unsent only under the latest token.',
  deliveredCounts: 'A delivery is recorded under whatever lease it was made.',

  // Planning
  leasedIsDeferred: 'A leased row is planned when its lease has ended.',
  movedExpiredWaits:
    'A row whose lease has ended and that a plan moves can be claimed a moment later at the earliest.',
  planReadsUnderLock:
    "A plan reads the inputs in the transaction that writes it, under the user's lock.",
  outboxAfterPlan: 'A change is marked done after it has been planned.',
  finalIsNotPlanned: 'What is COMPLETED or FAILED is never planned again.',
  oneOpenRow: 'A plan settles or removes the open row that it replaces.',
  settledIsFollowed: 'The scheduler plans what follows a settled row from the ledger.',
  redeliveredIsNoPlan: 'A redelivered row is not the planner’s: neither moved nor replaced.',
  deletionSettlesAll: 'Planning a deletion settles all rows of the user, redelivered ones too.',
  wakeFollowsPlan: 'Each plan writes when the workflow is to wake.',
  revivalForgetsEnd: 'An occasion that comes back has its end notified again, should it end again.',
  revivalForgetsWake: 'If the end was notified, what is known of the wake is forgotten too.',

  // Notifying
  tellsThenWrites: 'The notifier notifies Temporal first, and then writes that it did.',
  writesByVersion:
    'It writes only if the row has not been written since it was read, whatever the values are.',
  signalsExisting: 'Where the workflow exists already, the notifier sends it `changed`.',
  cutsDelay: 'It does so by signalWithStart: a plain signal does not end a start delay.',
  endSignals: 'The workflow of an ended occasion gets a plain `changed`: that never starts one.',
  endCancels: 'And a cancel request, which ends a start delay; but a run takes only one.',
  endNeverStarts: 'Ending an occasion never starts a workflow.',
  overtakenEndsAgain:
    'A notifier whose row was written meanwhile has the end notified again if the occasion has ended.',
  redeliveryIsNotified:
    'A redelivery is notified to the workflow once no dispatcher is alive, also if one was at first.',

  // The workflow
  changedCallsAgain: '`changed` while deliver runs: deliver is called again.',
  changedIsHandedOn: '`changed` that was not acted on is handed on when it continues as new.',
  cancelLooksAgain: 'A cancel request means: look again. It ends nothing by itself.',
  endedReturns: 'The workflow ends when deliver answers that the occasion has ended.',

  // deliver
  readsAndWritesAtOnce: 'deliver writes its answer in the statement that reads it.',
  lastCallAnswers: 'It writes its answer only if no later call has written one.',
  callsInOrder:
    'Later is what Temporal handed out later: a call that stood still may begin after the one that replaced it.',
  endedForgetsWake: 'An answer that the occasion has ended leaves no wake behind.',
  plansFirst: 'deliver plans what waits for a plan before it looks at what is due.',
  sendsRedeliveries: 'deliver sends redelivered rows too.',
  stampsExpire: 'A dispatcher counts as alive for a moment after its last stamp.',
  refusingIsSilent: 'A dispatcher that refuses to claim does not stamp.',
  passedOverIsSent: 'deliver sends what living dispatchers have passed over for a while.',
} as const;

export type RuleName = keyof typeof RULES;
export type Rules = Readonly<Record<RuleName, boolean>>;

export const RULE_NAMES = Object.keys(RULES) as RuleName[];

export function allRules(): Rules {
  return Object.fromEntries(RULE_NAMES.map((name) => [name, true])) as Rules;
}

export function without(...names: readonly RuleName[]): Rules {
  return { ...allRules(), ...Object.fromEntries(names.map((name) => [name, false])) };
}

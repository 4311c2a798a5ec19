import { FAR, type Bounds } from './world.ts';

/** Two dispatchers and an occurrence that falls due. */
const SENT = {
  dispatchers: 2,
  notifiers: 0,
  due: [1, FAR],
  start: 'planned',
  changes: [],
} satisfies Partial<Bounds>;

/** A notifier and no dispatcher. */
const NOTIFIED = { dispatchers: 0, notifiers: 1, start: 'planned' } satisfies Partial<Bounds>;

/** What is played through: each life with its own faults, all interleavings of it. */
export const LIVES = {
  sending: { ...SENT, horizon: 5, left: { crashes: 2, suspensions: 1, refusals: 1 } },
  daily: { ...SENT, horizon: 5, due: [1, 3], left: { crashes: 1, suspensions: 1, refusals: 1 } },
  moving: {
    ...SENT,
    horizon: 4,
    changes: [
      [2, FAR],
      [3, FAR],
      [null, 3],
    ],
    left: { changes: 1, crashes: 1, suspensions: 1 },
  },
  outage: { ...SENT, horizon: 4, left: { outages: 1, suspensions: 1 } },
  'moved in an outage': {
    ...SENT,
    horizon: 4,
    changes: [[4, FAR], null],
    left: { outages: 1, changes: 1 },
  },
  clocks: {
    ...SENT,
    horizon: 5,
    left: { suspensions: 1, refusals: 1, crashes: 1 },
    clockOffsets: [-1, 1],
  },
  notifying: {
    ...NOTIFIED,
    horizon: 3,
    due: [2, FAR],
    start: 'new',
    changes: [
      [1, FAR],
      [3, FAR],
    ],
    left: { changes: 2, timeouts: 1, renewals: 1 },
  },
  'there and back': {
    ...NOTIFIED,
    horizon: 0,
    due: [2, FAR],
    changes: [
      [1, FAR],
      [2, FAR],
    ],
    left: { changes: 3, timeouts: 1 },
  },
  'two notifiers': {
    ...NOTIFIED,
    horizon: 1,
    notifiers: 2,
    due: [1, FAR],
    start: 'new',
    changes: [[2, FAR], null],
    left: { changes: 1 },
  },
  deletion: {
    ...SENT,
    horizon: 3,
    dispatchers: 1,
    notifiers: 1,
    changes: [null],
    left: { changes: 1, crashes: 1, redeliveries: 1 },
    forces: true,
  },
  'ended twice': {
    ...NOTIFIED,
    horizon: 2,
    due: [FAR, null],
    changes: [
      [null, FAR],
      [null, null],
    ],
    left: { changes: 3, renewals: 1 },
  },
  revival: {
    ...NOTIFIED,
    horizon: 3,
    due: [1, null],
    changes: [
      [null, 3],
      [null, null],
    ],
    left: { changes: 2, terminations: 1 },
  },
  redelivery: {
    ...SENT,
    horizon: 2,
    dispatchers: 1,
    notifiers: 1,
    due: [1, null],
    left: { redeliveries: 2, refusals: 1 },
    refusesForGood: true,
    forces: true,
  },
  'redelivery beside a plan': {
    ...SENT,
    horizon: 4,
    dispatchers: 1,
    due: [1, 3],
    left: { redeliveries: 1, crashes: 1 },
    forces: true,
  },
} satisfies Record<string, Bounds>;

export type Life = keyof typeof LIVES;

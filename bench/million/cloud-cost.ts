/**
 * What Temporal Cloud would charge for an installation's workflows. Prices and what counts as an
 * Action are those of Temporal's documentation, pages "Temporal Cloud pricing" and "Temporal Cloud
 * Actions" (temporalio/documentation, commits 0217b71 and 24afc58, read on 30 November 2026).
 */

export interface CloudUse {
  readonly users: number;
  /** Actions of an occasion in its first year, and in each later one. */
  readonly firstYear: number;
  readonly laterYear: number;
  /** Actions of the installation itself in a month, regardless of the users. */
  readonly installationMonth: number;
  /** The history that a running workflow holds, averaged over its life. */
  readonly bytesPerUser: number;
}

export interface CloudCost {
  readonly users: number;
  readonly actions: number;
  readonly activeGbHours: number;
  readonly usageDollars: number;
  /** Including the plan's charge. Business includes Actions and storage. */
  readonly developerDollars: number;
  readonly businessDollars: number;
}

const DOLLARS_PER_MILLION = 50;
/** Above the first 5 million; for the Business plan, above what a month includes. */
const VOLUME = [
  { upTo: 5e6, dollars: 50 },
  { upTo: 10e6, dollars: 45 },
  { upTo: 20e6, dollars: 40 },
  { upTo: 50e6, dollars: 35 },
  { upTo: 100e6, dollars: 30 },
  { upTo: Infinity, dollars: 25 },
] as const;
const DOLLARS_PER_ACTIVE_GBH = 0.042;
const PLAN_SHARE = 0.1;
const BUSINESS = { leastDollars: 500, actions: 2.5e6, activeGbHours: 2.5 * 744 };
const HOURS_A_MONTH = 730;

/** For a month: a twelfth of the first year, or of a later one. */
export function cloudCost(use: CloudUse, year: 'firstYear' | 'laterYear'): CloudCost {
  const { users, installationMonth, bytesPerUser } = use;
  const actions = Math.round((users * use[year]) / 12 + installationMonth);
  const activeGbHours = ((users * bytesPerUser) / 1e9) * HOURS_A_MONTH;
  const usageDollars =
    (actions / 1e6) * DOLLARS_PER_MILLION + activeGbHours * DOLLARS_PER_ACTIVE_GBH;
  const beyond =
    volumeDollars(actions - BUSINESS.actions) +
    Math.max(0, activeGbHours - BUSINESS.activeGbHours) * DOLLARS_PER_ACTIVE_GBH;
  return {
    users,
    actions,
    activeGbHours,
    usageDollars,
    developerDollars: usageDollars * (1 + PLAN_SHARE),
    businessDollars: beyond + Math.max(BUSINESS.leastDollars, beyond * PLAN_SHARE),
  };
}

function volumeDollars(actions: number): number {
  let from = 0;
  let dollars = 0;
  for (const { upTo, dollars: price } of VOLUME) {
    dollars += (Math.max(0, Math.min(actions, upTo) - from) / 1e6) * price;
    from = upTo;
  }
  return dollars;
}

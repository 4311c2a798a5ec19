/**
 * `npm run restored`: says that the database at DATABASE_URL, or Temporal's, was restored to
 * an earlier state. Before Daybell's processes are started again. Exit code 0 when it is noted, 1
 * when it cannot be, 78 for settings.
 */
import { InvalidSettingsError, loadSettings, requireSettings } from '../config/settings.ts';
import { errorCode } from '../observability/connection-errors.ts';
import { connectOrm } from '../persistence/orm.ts';
import { noteRestore, type Restored } from '../persistence/restored.ts';
import { EXIT } from './exit.ts';

/** What the reconciler has planned again in a second. */
const PLANS_PER_SECOND = 50;
const REASON = 'restored: look at what is waiting before you resume';

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    process.stdout.write(describe(await note()));
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message || errorCode(error)}\n`);
    return error instanceof InvalidSettingsError ? EXIT.config : EXIT.failed;
  }
}

async function note(): Promise<Restored> {
  const { DATABASE_URL } = requireSettings(loadSettings(), 'DATABASE_URL');
  // All users are written in one statement: a large installation takes longer than any request may.
  const orm = await connectOrm(DATABASE_URL, { queryTimeoutMs: 0 });
  try {
    return await noteRestore(orm, REASON);
  } finally {
    await orm.close(true);
  }
}

function describe({ users, plans, knowsUntil, dueSince }: Restored): string {
  const minutes = Math.ceil(plans / PLANS_PER_SECOND / 60);
  const known = knowsUntil === null ? 'nothing' : new Date(knowsUntil).toISOString();
  return `Noted. ${users} users, ${plans} plans; the last thing that the database knows of: ${known}.

- Deliveries are paused. ${dueSince} have come due since, and may have been delivered
  already: they are sent, with the same webhook-id as then, when you resume.
- Everybody is planned again by the reconciler once the workers run, the soonest due first,
  in about ${minutes} min. npm run reconcile shows how far it is.
- Revisions have leapt ahead: an ETag of before the restore matches nothing.
`;
}

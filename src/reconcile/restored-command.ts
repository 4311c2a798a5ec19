/**
 * `npm run restored -- --backup-taken-at 2027-05-20T03:00:00Z`, run before Daybell's processes are
 * started again: records that the database at DATABASE_URL, or Temporal's store, was restored to
 * its state at that instant.
 */
import { parseArgs } from 'node:util';

import { CommandError, EXIT, runCommand } from '../cli/command.ts';
import { connectOrm } from '../platform/database/orm.ts';
import { loadSettings, requireSettings } from '../platform/settings/settings.ts';
import { instantFault } from '../time/instant.ts';
import { noteRestore, type Restored } from './stores.ts';

const USAGE = `npm run restored -- --backup-taken-at <instant>

  <instant>  when the backup was taken that was restored, such as 2027-05-20T03:00:00Z;
             one that is too early does no harm`;
/** The notifier's minimum pace. */
const NOTIFIED_PER_MINUTE = 3_000;

await runCommand(async () => {
  const backupTakenAt = instantOf(process.argv.slice(2));
  if (backupTakenAt === null) throw new CommandError(USAGE, EXIT.usage);
  const { DATABASE_URL } = requireSettings(loadSettings(), 'DATABASE_URL');
  // Writes all users in one statement, which takes longer than any request may.
  const orm = await connectOrm(DATABASE_URL, { queryTimeoutMs: 0 });
  try {
    return describe(await noteRestore(orm, backupTakenAt));
  } finally {
    await orm.close(true);
  }
});

/** Epoch ms; null unless it is an instant in the past, with its offset. */
function instantOf(args: string[]): number | null {
  const options = { 'backup-taken-at': { type: 'string', default: '' } } as const;
  const text = parseArgs({ args, options, strict: false }).values['backup-taken-at'];
  if (typeof text !== 'string' || instantFault(text) !== null) return null;
  const at = Date.parse(text);
  return at <= Date.now() ? at : null;
}

function describe({ store, knowsUntil, forgotten, due }: Restored): string {
  const isDatabase = store === 'database';
  const known = knowsUntil === null ? 'nothing' : new Date(knowsUntil).toISOString();
  const which = isDatabase ? 'The database' : "Temporal's store";
  const mayBeSent = isDatabase ? ', and may have been delivered already' : '';
  const why = isDatabase ? 'all of them' : 'those that changed since the backup';
  const revisions = isDatabase
    ? '- Revisions have jumped ahead: an ETag from before the restore matches nothing.\n'
    : '';
  return `Noted. ${which} is at the earlier state; the last thing that the database knows of: ${known}.

- Deliveries are paused. ${due} have come due${mayBeSent}: they
  are sent, with the same webhook-id as then, when you resume. npm run due lists them.
- ${forgotten} workflows are notified again, ${why}, once the scheduler runs,
  in about ${Math.ceil(forgotten / NOTIFIED_PER_MINUTE)} min. npm run reconcile says when nothing is missed.
${revisions}`;
}

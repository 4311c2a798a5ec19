/**
 * `npm run restored -- --backup-taken-at 2027-05-20T03:00:00Z`, before Daybell's processes are
 * started again: notes that the database at DATABASE_URL, or Temporal's store, was restored to the
 * state of that instant.
 */
import { EXIT } from '../cli/command.ts';
import {
  InvalidSettingsError,
  loadSettings,
  requireSettings,
} from '../platform/settings/settings.ts';
import { errorCode } from '../platform/errors.ts';
import { connectOrm } from '../platform/database/orm.ts';
import { noteRestore, type Restored } from './restored.ts';

const USAGE = `npm run restored -- --backup-taken-at <instant>

  <instant>  when the backup was taken that was restored, such as 2027-05-20T03:00:00Z;
             one that is too early does no harm
`;
const PAUSE_REASON = 'restored: look at what is waiting before you resume';
/** The notifier's pace, at least. */
const NOTIFIED_PER_MINUTE = 3_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const backupTakenAt = instantOf(args);
  if (backupTakenAt === null) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  try {
    process.stdout.write(describe(await note(backupTakenAt)));
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    process.stderr.write(`${message || errorCode(error)}\n`);
    return error instanceof InvalidSettingsError ? EXIT.config : EXIT.failed;
  }
}

/** Epoch ms; null unless it is an instant in the past, with its offset. */
function instantOf(args: readonly string[]): number | null {
  const [name, text = ''] = args.flatMap((arg) => arg.split('=', 2));
  if (name !== '--backup-taken-at') return null;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)) return null;
  const at = Date.parse(text);
  return at <= Date.now() ? at : null;
}

async function note(backupTakenAt: number): Promise<Restored> {
  const { DATABASE_URL } = requireSettings(loadSettings(), 'DATABASE_URL');
  // Writes all users in one statement, which takes longer than any request may.
  const orm = await connectOrm(DATABASE_URL, { queryTimeoutMs: 0 });
  try {
    return await noteRestore(orm, { backupTakenAt, pauseReason: PAUSE_REASON });
  } finally {
    await orm.close(true);
  }
}

function describe({ store, knowsUntil, forgotten, due }: Restored): string {
  const isDatabase = store === 'database';
  const known = knowsUntil === null ? 'nothing' : new Date(knowsUntil).toISOString();
  const which = isDatabase ? 'The database' : "Temporal's store";
  const mayBeSent = isDatabase ? ', and may have been delivered already' : '';
  const why = isDatabase ? 'whatever they had heard of' : 'those that changed since the backup';
  const revisions = isDatabase
    ? '- Revisions have leapt ahead: an ETag of before the restore matches nothing.\n'
    : '';
  return `Noted. ${which} is at the earlier state; the last thing that the database knows of: ${known}.

- Deliveries are paused. ${due} have come due${mayBeSent}: they
  are sent, with the same webhook-id as then, when you resume.
- ${forgotten} workflows are notified again, ${why}, once the scheduler runs,
  in about ${Math.ceil(forgotten / NOTIFIED_PER_MINUTE)} min. npm run reconcile says when nothing is missed.
${revisions}`;
}

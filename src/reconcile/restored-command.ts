/**
 * `npm run restored -- --backup-taken-at 2027-05-20T03:00:00Z`: notes that the database at
 * DATABASE_URL, or Temporal's store, was restored to the state of that instant. Before Daybell's
 * processes are started again. Exit code 0 when it is noted, 1 when it cannot be, 64 for arguments
 * that say nothing, 78 for settings.
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
/** What the notifier does in a second, at least. */
const NOTIFIED_PER_SECOND = 50;

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
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message || errorCode(error)}\n`);
    return error instanceof InvalidSettingsError ? EXIT.config : EXIT.failed;
  }
}

/** Epoch ms; null for what is no instant in the past, with its offset. */
function instantOf(args: readonly string[]): number | null {
  const [name, text = ''] = args.flatMap((arg) => arg.split('=', 2));
  if (name !== '--backup-taken-at') return null;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)) return null;
  const at = Date.parse(text);
  return at <= Date.now() ? at : null;
}

async function note(backupTakenAt: number): Promise<Restored> {
  const { DATABASE_URL } = requireSettings(loadSettings(), 'DATABASE_URL');
  // All users are written in one statement: a large installation takes longer than any request may.
  const orm = await connectOrm(DATABASE_URL, { queryTimeoutMs: 0 });
  try {
    return await noteRestore(orm, { backupTakenAt, pauseReason: PAUSE_REASON });
  } finally {
    await orm.close(true);
  }
}

function describe({ store, knowsUntil, forgotten, due }: Restored): string {
  const minutes = Math.ceil(forgotten / NOTIFIED_PER_SECOND / 60);
  const known = knowsUntil === null ? 'nothing' : new Date(knowsUntil).toISOString();
  const [which, why, ...more] =
    store === 'database'
      ? [
          'The database is at the earlier state',
          'whatever they had heard of',
          '- Revisions have leapt ahead: an ETag of before the restore matches nothing.',
        ]
      : ["Temporal's store is at the earlier state", 'those that changed since the backup'];
  return `Noted. ${which}; the last thing that the database knows of: ${known}.

- Deliveries are paused. ${due} have come due${
    store === 'database' ? ', and may have been delivered already' : ''
  }: they
  are sent, with the same webhook-id as then, when you resume.
- ${forgotten} workflows are notified again, ${why}, once the scheduler runs,
  in about ${minutes} min. npm run reconcile says when nothing is missed.
${more.map((line) => `${line}\n`).join('')}`;
}

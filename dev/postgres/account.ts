/**
 * PostgreSQL refuses to run as root. If started by root, as in most containers, it runs as another
 * user, with the one capability of root that lets a process enter any folder: Daybell may be in one
 * such as /root.
 */
import { chown, stat } from 'node:fs/promises';

export interface PostgresAccount {
  /** Makes PostgreSQL the owner of a folder. */
  own(folder: string): Promise<void>;
  /** How to run one of PostgreSQL's programs. */
  command(
    program: string,
    args: readonly string[],
  ): { readonly program: string; readonly args: readonly string[] };
}

const OURSELVES: PostgresAccount = {
  own: async () => {},
  command: (program, args) => ({ program, args }),
};
/** The user `nobody`, on every Linux. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const CAPABILITIES = '-all,+dac_override';

/** The current user; for root, the owner of the cluster, or `nobody` if there is none yet. */
export async function findPostgresAccount(cluster: string): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) return OURSELVES;
  const { uid, gid } = await stat(cluster).catch(() => NOBODY);
  const flags = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    `--inh-caps=${CAPABILITIES}`,
    `--ambient-caps=${CAPABILITIES}`,
    `--bounding-set=${CAPABILITIES}`,
    // Without it, access(2), which PostgreSQL uses to find its own files, ignores capabilities.
    '--securebits=+no_setuid_fixup',
  ];
  return {
    own: (folder) => chown(folder, uid, gid),
    command: (program, args) => ({ program: 'setpriv', args: [...flags, program, ...args] }),
  };
}

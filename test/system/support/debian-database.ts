/** Daybell's database in Debian's PostgreSQL, created as in docs/deployment.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Authority, createAuthority } from '../../support/certificates.ts';
import { runProgram } from '../../support/process.ts';
import { type DebianPostgres, startDebianPostgres } from './debian-postgres.ts';
import { blockOf, withPlaces } from './pages.ts';
import { type PgBouncer, type PgBouncerOptions, startPgBouncer } from './pgbouncer.ts';

const PASSWORDS = { owner: 'owner-password', app: 'app-password' };

export interface DebianDatabase {
  readonly authority: Authority;
  readonly postgres: DebianPostgres;
  /** Creates a database, and the roles. */
  create(name: string): Promise<void>;
  /** Of the owner, straight to PostgreSQL. */
  ownerUrl(name: string): string;
  startPgBouncer(name: string, places?: PgBouncerOptions['places']): Promise<PooledDatabase>;
  /** Runs commands in a shell in the checkout. Rejects if one fails. */
  type(commands: string, variables?: Readonly<Record<string, string>>): Promise<string[]>;
  stop(): Promise<void>;
}

export interface PooledDatabase extends PgBouncer {
  url(role: keyof typeof PASSWORDS): string;
}

export async function startDebianDatabase(): Promise<DebianDatabase> {
  const authority = createAuthority();
  const postgres = await startDebianPostgres(authority);
  const home = await mkdtemp(join(tmpdir(), 'daybell-operator-'));
  const { PGSSLROOTCERT = '' } = postgres.variables;
  const ownerUrl = (name: string): string =>
    `postgresql://daybell_owner:${PASSWORDS.owner}@127.0.0.1:${postgres.port}/${name}?sslmode=verify-full&sslrootcert=${PGSSLROOTCERT}`;
  const poolers: PgBouncer[] = [];

  const database: DebianDatabase = {
    authority,
    postgres,
    ownerUrl,
    async create(name) {
      // What comes after that migrates.
      const [commands = ''] = blockOf('deployment', 'The roles', 'sh').split(/^(?=DATABASE_URL)/m);
      await database.type(
        withPlaces(commands, {
          '--host db.example.com --username postgres daybell': `--host 127.0.0.1 --username postgres ${name}`,
          'postgres@db.example.com/daybell': `postgres@127.0.0.1/${name}`,
        }),
        { OWNER_PASSWORD: PASSWORDS.owner, APP_PASSWORD: PASSWORDS.app },
      );
    },
    async startPgBouncer(name, places = {}) {
      const pgbouncer = await startPgBouncer({
        server: { port: postgres.port, database: name },
        authority,
        users: { daybell_owner: PASSWORDS.owner, daybell_app: PASSWORDS.app },
        places,
      });
      poolers.push(pgbouncer);
      const url = (role: keyof typeof PASSWORDS): string =>
        `postgresql://daybell_${role}:${PASSWORDS[role]}@127.0.0.1:${pgbouncer.port}/daybell`;
      return { ...pgbouncer, url };
    },
    async type(commands, variables = {}) {
      const { exited, lines } = runProgram('bash', ['-euc', commands], {
        settings: {
          ...postgres.variables,
          PATH: `${postgres.programs}:${process.env['PATH']}`,
          HOME: home,
          // It would query the registry.
          npm_config_update_notifier: 'false',
          ...variables,
        },
      });
      const exitCode = await exited;
      if (exitCode !== 0) throw new Error(`${commands}: ${exitCode}\n${lines.join('\n')}`);
      return lines;
    },
    async stop() {
      for (const pgbouncer of poolers) await pgbouncer.stop();
      await postgres.stop();
      await rm(home, { recursive: true });
    },
  };
  return database;
}

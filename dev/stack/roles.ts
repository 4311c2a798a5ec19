import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';

import { keepSecret } from '../data-dir.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'deploy', 'postgres', 'roles.sql');

/** The passwords of the role that migrates, and of the one that everything else uses. */
type Roles = Readonly<Record<'owner' | 'app', string>>;

/** Creates the roles in a database as its superuser, with these passwords. Returns their URLs. */
export async function createRoles(adminUrl: string, passwords: Roles): Promise<Roles> {
  const client = new pg.Client({
    connectionString: adminUrl,
    options: `-c daybell.owner_password=${passwords.owner} -c daybell.app_password=${passwords.app}`,
  });
  await client.connect();
  try {
    await client.query(await readFile(SCRIPT, 'utf8'));
  } finally {
    await client.end();
  }
  const urlOf = (role: keyof Roles): string => {
    const url = new URL(adminUrl);
    url.username = `daybell_${role}`;
    url.password = passwords[role];
    return url.href;
  };
  return { owner: urlOf('owner'), app: urlOf('app') };
}

/** Their passwords, generated on first use and stored beside the superuser's. */
export async function keepRolePasswords(dataDir: string): Promise<Roles> {
  const keep = (role: string): Promise<string> =>
    keepSecret(join(dataDir, `postgres-${role}.password`), () => randomBytes(24).toString('hex'));
  return { owner: await keep('owner'), app: await keep('app') };
}

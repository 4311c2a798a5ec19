/** The database that `npm start` runs, for commands of the same user on the same machine. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const EMBEDDED_USER = 'daybell';
export const EMBEDDED_DATABASE = 'daybell';

/** Where a data folder keeps the password of its database. */
export function passwordFile(dataDir: string): string {
  return join(dataDir, 'postgres.password');
}

export function embeddedUrl(password: string, port: number, database: string): string {
  return `postgresql://${EMBEDDED_USER}:${password}@127.0.0.1:${port}/${database}`;
}

/** The URL of the embedded database whose data is in this folder. Rejects if there is none. */
export async function readEmbeddedDatabaseUrl(dataDir: string, port: number): Promise<string> {
  const password = await readFile(passwordFile(dataDir), 'utf8').catch(() => {
    throw new Error(
      `DATABASE_URL is not set, and there is no embedded database in ${dataDir} (DATA_DIR).`,
    );
  });
  return embeddedUrl(password.trim(), port, EMBEDDED_DATABASE);
}

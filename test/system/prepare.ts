/**
 * Runs before `npm run test:system`: brings the programs that it needs. Where they cannot be had, it
 * says so and exits with 77, which is no failed test: the code that Automake's tests use.
 */
import { fetchDebian } from './support/debian.ts';

const CANNOT_RUN_HERE = 77;

const missing = await fetchDebian();
if (missing !== null) {
  console.error(
    `test:system needs Debian's packages of HAProxy, nginx, PgBouncer, PostgreSQL and Prometheus: ${missing}. Run it on Debian or Ubuntu.`,
  );
  process.exit(CANNOT_RUN_HERE);
}

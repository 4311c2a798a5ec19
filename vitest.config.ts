import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { defineConfig } from 'vitest/config';

// For the test files and for the processes that they start.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'daybell-compile-cache');

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'dev/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Ends of patience, not measurements: a busy machine may take ten times as long as an idle one.
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    // For two cores: files that wait for an instant leave the processor to the others.
    maxWorkers: 3,
  },
});

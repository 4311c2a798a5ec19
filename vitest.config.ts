import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

import { findQuickFiles, isLong } from './test/support/quick-files.ts';

// For the test files and for the processes that they start.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'daybell-compile-cache');

const SYSTEM = 'test/system/**/*.test.ts';
const quickFiles = findQuickFiles();
const shared = {
  // Ends of patience, not measurements: a busy machine may take ten times as long as an idle one.
  testTimeout: 180_000,
  hookTimeout: 300_000,
  expect: { poll: { timeout: 60_000 } },
  // Files share what they import: loading it takes longer than most of their tests.
  isolate: false,
  tags: [{ name: 'long', description: 'Takes long by itself: starts first, not in test:quick' }],
};

/** A long file that began last would leave all but one core idle. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => Number(isLong(b.moduleId)) - Number(isLong(a.moduleId)));
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // For two cores: files that wait for an instant leave the processor to the others.
    maxWorkers: 5,
    sequence: { sequencer: LongFirst },
    projects: [
      { test: { ...shared, name: 'quick', include: quickFiles } },
      {
        test: {
          ...shared,
          name: 'others',
          include: ['src/**/*.test.ts', 'dev/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...quickFiles, SYSTEM],
        },
      },
      // Against Debian's programs: `npm run test:system`, which brings them.
      { test: { ...shared, name: 'system', include: [SYSTEM] } },
    ],
  },
});

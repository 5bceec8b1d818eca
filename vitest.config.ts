import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

// `millrace-source` makes `#engine` and its like resolve to the TypeScript sources, in this process and in threads started by it.
const conditions = ['millrace-source'];

/** End-to-end tests that hold times against bounds, or fill all processors by themselves: one file after another. */
const TIMED = ['clients', 'concurrency', 'failover', 'fairness', 'redis-outages', 'up', 'worker-long-prefill'].map(
  (name) => `test/e2e/${name}.spec.ts`,
);

const globalSetup = fileURLToPath(new URL('test/support/build-once.ts', import.meta.url));

export default defineConfig({
  plugins: [swc.vite({ module: { type: 'es6' } })],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    execArgv: ['--conditions=millrace-source'],
    server: { deps: { inline: [/@ai-sdk/, /\/ai\//] } },
    setupFiles: [fileURLToPath(new URL('test/support/patience.ts', import.meta.url))],
    // Vitest would leave one processor to itself, and on a machine of two run one file after another.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // As test/support/patience.ts has it for `vi.waitFor`.
    expect: { poll: { timeout: 10_000, interval: 20 } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'tools/**/*.spec.ts'] },
      },
      { extends: true, test: { name: 'redis', include: ['test/redis/**/*.spec.ts'] } },
      { extends: true, test: { name: 'model', include: ['test/model/**/*.spec.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.spec.ts'],
          exclude: TIMED,
          globalSetup,
          // Whole clusters, when the tiers above are done. They wait more than they compute: two at once.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'e2e-timed', include: TIMED, globalSetup, fileParallelism: false, sequence: { groupOrder: 2 } },
      },
      {
        extends: true,
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.spec.ts'],
          globalSetup,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

// `source` makes `#engine` and its like resolve to the TypeScript sources, in this process and in threads started by it.
const conditions = ['source'];

export default defineConfig({
  plugins: [swc.vite({ module: { type: 'es6' } })],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    execArgv: ['--conditions=source'],
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
          // Whole clusters, one after another and when the other tiers are done: they need the machine for themselves.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

import { join } from 'node:path';
import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { ROOT } from './paths.mjs';
import { captureProgram } from './run-program.mjs';

const CHECKS = [
  { name: 'format and lint', script: '@biomejs/biome/bin/biome', args: ['ci', '--colors=off', '.'] },
  {
    name: 'types',
    script: 'typescript/bin/tsc',
    args: ['-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', '.millrace/cache/check.tsbuildinfo'],
  },
  {
    name: 'dependency direction and cycles',
    script: 'dependency-cruiser/bin/dependency-cruise.mjs',
    args: ['--config', '.dependency-cruiser.cjs', 'apps', 'libs'],
  },
];

/** Runs all checks side by side and prints the output of those that fail; resolves with the names of the failed ones. */
export async function runChecks() {
  const env = projectEnvironment();
  const results = await Promise.all(
    CHECKS.map(async ({ name, script, args }) => {
      const startedAt = Date.now();
      const path = join(ROOT, 'node_modules', script);
      const { code, output } = await captureProgram(nodeRuntime(), [path, ...args], { env });
      const took = ((Date.now() - startedAt) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${took} s)`);
      return { name, failed: code !== 0, output };
    }),
  );
  const failed = results.filter((result) => result.failed);
  for (const { name, output } of failed) console.log(`\n── ${name}\n${output.trim()}\n`);
  return failed.map((result) => result.name);
}

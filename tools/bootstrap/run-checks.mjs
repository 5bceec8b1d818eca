import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { installedProgram } from './paths.mjs';
import { captureProgram } from './run-program.mjs';

const CHECKS = [
  { name: 'format and lint', program: 'biome', args: ['ci', '--colors=off', '.'] },
  {
    name: 'types',
    program: 'tsc',
    args: ['-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', '.millrace/cache/check.tsbuildinfo'],
  },
  {
    name: 'dependency direction and cycles',
    program: 'depcruise',
    args: ['--config', '.dependency-cruiser.cjs', 'apps', 'libs'],
  },
];

/** Runs all checks side by side and prints the output of those that fail; resolves with the names of the failed ones. */
export async function runChecks() {
  const env = projectEnvironment();
  const results = await Promise.all(
    CHECKS.map(async ({ name, program, args }) => {
      const startedAt = Date.now();
      const { code, output } = await captureProgram(nodeRuntime(), [installedProgram(program), ...args], { env });
      const took = ((Date.now() - startedAt) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${took} s)`);
      return { name, failed: code !== 0, output };
    }),
  );
  const failed = results.filter((result) => result.failed);
  for (const { name, output } of failed) console.log(`\n── ${name}\n${output.trim()}\n`);
  return failed.map((result) => result.name);
}

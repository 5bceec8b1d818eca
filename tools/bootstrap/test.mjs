// `npm test [-- <tier> …]`: without a tier, everything that CI runs; with tiers (unit, redis, model, e2e, chaos), only those.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runMain } from './bootstrap-error.mjs';
import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { installedProgram, ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { withPrometheus } from './prometheus.mjs';
import { runChecks } from './run-checks.mjs';
import { runProgram } from './run-program.mjs';

const TIERS = ['unit', 'redis', 'model', 'e2e', 'chaos'];
const REPORT = join(ROOT, '.millrace', 'test-report.json');

await runMain(async () => {
  const startedAt = Date.now();
  const given = process.argv.slice(2);
  const tiers = given.filter((argument) => TIERS.includes(argument));
  const rest = given.filter((argument) => !TIERS.includes(argument));
  mkdirSync(join(ROOT, '.millrace'), { recursive: true });
  rmSync(REPORT, { force: true });
  await prepare();
  const failedChecks = given.length === 0 ? await runChecks() : [];
  let env = projectEnvironment();
  if (tiers.length === 0 || tiers.some((tier) => tier !== 'unit')) {
    const cli = join(ROOT, 'dist', 'apps', 'cli', 'src', 'main.js');
    const code = await runProgram(nodeRuntime(), [cli, 'redis'], { env });
    if (code !== 0) return code;
  }
  if (tiers.length === 0 || tiers.includes('e2e')) env = await withPrometheus(env);
  const code = await runProgram(
    nodeRuntime(),
    [
      installedProgram('vitest'),
      'run',
      ...tiers.flatMap((tier) => ['--project', tier]),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${REPORT}`,
      ...rest,
    ],
    { env },
  );
  const { passed, failed } = totals();
  const checks =
    given.length > 0 ? '' : failedChecks.length === 0 ? 'Checks: ok. ' : `Checks FAILED: ${failedChecks.join(', ')}. `;
  console.log(
    `\n${checks}Tests: ${passed} passed, ${failed} failed, in ${Math.round((Date.now() - startedAt) / 1000)} s.`,
  );
  return code !== 0 ? code : failedChecks.length > 0 ? 1 : 0;
});

function totals() {
  if (!existsSync(REPORT)) return { passed: 0, failed: 0 };
  const report = JSON.parse(readFileSync(REPORT, 'utf8'));
  return { passed: report.numPassedTests, failed: report.numFailedTests };
}

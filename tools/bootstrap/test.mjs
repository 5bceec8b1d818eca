// `npm test [-- <tier> …]`: without a tier, everything that CI runs; with tiers (unit, redis, model, e2e, chaos), only those.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runMain } from './bootstrap-error.mjs';
import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { installedProgram, ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { withPrometheus } from './prometheus.mjs';
import { runChecks } from './run-checks.mjs';
import { captureProgram, runProgram } from './run-program.mjs';

/** The tiers, and what of vitest.config.ts is in each. */
const PROJECTS = {
  unit: ['unit'],
  redis: ['redis'],
  model: ['model'],
  e2e: ['e2e', 'e2e-timed'],
  chaos: ['chaos'],
};
const TIERS = Object.keys(PROJECTS);
const REPORT = join(ROOT, '.millrace', 'test-report.json');

await runMain(async () => {
  const startedAt = Date.now();
  const given = process.argv.slice(2);
  const tiers = given.filter((argument) => TIERS.includes(argument));
  const rest = given.filter((argument) => !TIERS.includes(argument));
  mkdirSync(join(ROOT, '.millrace'), { recursive: true });
  rmSync(REPORT, { force: true });
  await prepare();
  // What has to be fetched comes while the checks compute.
  const [failedChecks, { code: lacking, env }] = await Promise.all([
    given.length === 0 ? runChecks() : [],
    withServers(tiers.length === 0 ? TIERS : tiers),
  ]);
  if (lacking !== 0) return lacking;
  const code = await runProgram(
    nodeRuntime(),
    [
      installedProgram('vitest'),
      'run',
      ...tiers.flatMap((tier) => PROJECTS[tier]).flatMap((project) => ['--project', project]),
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

/** The programs beside which the tiers run, one after another: they share one package manager. */
async function withServers(tiers) {
  const env = projectEnvironment();
  if (tiers.some((tier) => tier !== 'unit')) {
    const cli = join(ROOT, 'dist', 'apps', 'cli', 'src', 'main.js');
    const code = await runProgram(nodeRuntime(), [cli, 'redis'], { env });
    if (code !== 0) return { code, env };
  }
  if (!tiers.includes('e2e')) return { code: 0, env };
  const found = await withPrometheus(env);
  // Where it fails, the test that needs it says why.
  const python = "await (await import('./test/support/python.ts')).pythonWithOpenai()";
  await captureProgram(nodeRuntime(), ['--input-type=module', '-e', python], { env: found, cwd: ROOT });
  return { code: 0, env: found };
}

function totals() {
  if (!existsSync(REPORT)) return { passed: 0, failed: 0 };
  const report = JSON.parse(readFileSync(REPORT, 'utf8'));
  return { passed: report.numPassedTests, failed: report.numFailedTests };
}

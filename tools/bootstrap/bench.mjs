// `npm run bench [-- suite …] [--write]`: runs the benchmark suites; bench/README.md says what each measures.
import { join } from 'node:path';
import { runMain } from './bootstrap-error.mjs';
import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { runProgram } from './run-program.mjs';

await runMain(async () => {
  await prepare();
  const args = ['--conditions=millrace-source', join(ROOT, 'bench', 'main.ts'), ...process.argv.slice(2)];
  return runProgram(nodeRuntime(), args, { env: projectEnvironment() });
});

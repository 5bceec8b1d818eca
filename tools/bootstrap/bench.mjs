// `npm run bench [-- suite …]`: every suite in bench/suites, or the named ones; figures go to bench/results.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError, runMain } from './bootstrap-error.mjs';
import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { runProgram } from './run-program.mjs';

await runMain(async () => {
  await prepare();
  const folder = join(ROOT, 'bench', 'suites');
  const suites = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith('.ts'))
        .map((file) => file.slice(0, -'.ts'.length))
        .sort()
    : [];
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !suites.includes(name));
  if (suites.length === 0 || unknown.length > 0) {
    throw new BootstrapError(
      `No such benchmark suite: ${unknown.join(', ') || '(none given)'}. There are: ${suites.join(', ') || 'none'}.`,
    );
  }
  let worst = 0;
  for (const suite of wanted.length > 0 ? wanted : suites) {
    console.log(`\n── ${suite}`);
    const code = await runProgram(nodeRuntime(), ['--conditions=source', join(folder, `${suite}.ts`)], {
      env: projectEnvironment(),
    });
    worst = Math.max(worst, code);
  }
  return worst;
});

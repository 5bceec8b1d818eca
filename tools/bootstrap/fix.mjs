// `npm run fix`: formats and applies the safe lint fixes.
import { join } from 'node:path';
import { runMain } from './bootstrap-error.mjs';
import { nodeRuntime } from './node-runtime.mjs';
import { ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { runProgram } from './run-program.mjs';

await runMain(async () => {
  await prepare({ build: false });
  return runProgram(nodeRuntime(), [join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'check', '--write', '.']);
});

// `npm run fix`: formats and applies the safe lint fixes.
import { runMain } from './bootstrap-error.mjs';
import { nodeRuntime } from './node-runtime.mjs';
import { installedProgram } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { runProgram } from './run-program.mjs';

await runMain(async () => {
  await prepare({ build: false });
  return runProgram(nodeRuntime(), [installedProgram('biome'), 'check', '--write', '.']);
});

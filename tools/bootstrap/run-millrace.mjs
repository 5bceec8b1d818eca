import { join } from 'node:path';
import { nodeRuntime, projectEnvironment } from './node-runtime.mjs';
import { ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { runProgram } from './run-program.mjs';

/** Installs and builds what is missing, then runs the CLI on the pinned Node; resolves with its exit code. */
export async function millrace(args) {
  await prepare();
  const entry = join(ROOT, 'dist', 'apps', 'cli', 'src', 'main.js');
  return runProgram(nodeRuntime(), ['--enable-source-maps', entry, ...args], {
    env: projectEnvironment(),
    tied: true,
    cwd: process.cwd(),
  });
}

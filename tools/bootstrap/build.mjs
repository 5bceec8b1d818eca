import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BootstrapError } from './bootstrap-error.mjs';
import { nodeRuntime } from './node-runtime.mjs';
import { installedProgram, ROOT } from './paths.mjs';
import { captureProgram } from './run-program.mjs';
import { sourceFiles, sourcesHash } from './source-files.mjs';

/** What dist was built from: written last, so an interrupted build does not count. */
const STAMP = 'dist/.built-from.json';

/** True when dist holds the compiled form of exactly the sources that stand now. */
export function isBuilt(root = ROOT) {
  return readStamp(root)?.hash === sourcesHash(root);
}

/**
 * Compiles apps and libs into dist; does nothing when dist is current.
 * @throws BootstrapError with the compiler's messages
 */
export async function ensureBuilt(report, root = ROOT) {
  const hash = sourcesHash(root);
  const built = readStamp(root);
  if (built?.hash === hash) return;
  report('Building …');
  const startedAt = Date.now();
  const files = sourceFiles(root);
  const now = new Set(files);
  // The compiler leaves the output of a deleted source behind.
  if (built === null || built.files.some((file) => !now.has(file)))
    rmSync(join(root, 'dist'), { recursive: true, force: true });
  rmSync(join(root, STAMP), { force: true });
  const compiler = installedProgram('tsc', root);
  const { code, output } = await captureProgram(nodeRuntime(root), [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
  });
  if (code !== 0) throw new BootstrapError(`The sources do not compile:\n\n${output.trim()}`);
  for (const file of files.filter(isAsset)) {
    const target = join(root, 'dist', file);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, file), target);
  }
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, STAMP), JSON.stringify({ hash, files }));
  report(`Built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
}

/** Files below `src` that the program reads at run time (Lua scripts, pages) and the compiler does not copy. */
function isAsset(file) {
  return /^(apps|libs)\//.test(file) && file.includes('/src/') && !/\.(ts|md)$/.test(file);
}

function readStamp(root) {
  const path = join(root, STAMP);
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

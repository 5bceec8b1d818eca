import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BootstrapError } from './bootstrap-error.mjs';
import { npmCommand } from './node-runtime.mjs';
import { ROOT } from './paths.mjs';
import { captureProgram } from './run-program.mjs';

/** Packages that package-lock.json wants in another state than node_modules has them; empty when all is in place. */
export function missingPackages(root = ROOT) {
  const lock = readJson(join(root, 'package-lock.json'));
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'));
  if (lock === null)
    throw new BootstrapError(`${join(root, 'package-lock.json')} cannot be read: restore it with git.`);
  if (installed === null) return ['node_modules'];
  const wrong = [];
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const present = installed.packages[path];
    // An optional package without an entry is one for another platform.
    if (present === undefined ? !wanted.optional : present.version !== wanted.version) wrong.push(path);
  }
  return wrong;
}

/** True when package.json and package-lock.json ask for the same packages; npm itself says what is wrong when not. */
function lockIsCurrent(root) {
  const manifest = readJson(join(root, 'package.json'));
  const locked = readJson(join(root, 'package-lock.json'))?.packages[''];
  const same = (kind) => JSON.stringify(manifest?.[kind] ?? {}) === JSON.stringify(locked?.[kind] ?? {});
  return ['dependencies', 'devDependencies', 'optionalDependencies'].every(same);
}

/**
 * Makes node_modules what package-lock.json says; does nothing when it is already.
 * A node_modules that is a symbolic link belongs to another checkout and is left alone.
 * @throws BootstrapError with the remedy when npm fails
 */
export async function ensureInstalled(report, root = ROOT) {
  if (missingPackages(root).length === 0 && lockIsCurrent(root)) return;
  const folder = join(root, 'node_modules');
  if (existsSync(folder) && lstatSync(folder).isSymbolicLink()) {
    report('node_modules is a link to another checkout and differs from package-lock.json; using it as it is.');
    return;
  }
  report('Installing packages (npm ci) …');
  const startedAt = Date.now();
  const ticker = setInterval(() => report(`  still installing, ${seconds(startedAt)} s …`), 15_000);
  const [command, ...first] = npmCommand(root);
  const outside = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.startsWith(folder));
  // Lifecycle scripts stay off (.npmrc); the variable keeps ONNX Runtime from downloading CUDA where someone turns them on.
  const env = { ...process.env, PATH: outside.join(delimiter), ONNXRUNTIME_NODE_INSTALL: 'skip' };
  // Variables that npm handed down describe the outer `npm start`, not this call.
  for (const name of Object.keys(env)) if (/^npm_(lifecycle|package|command)/.test(name)) delete env[name];
  const args = [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await captureProgram(command, args, { env, cwd: root }).finally(() => clearInterval(ticker));
  if (code !== 0) throw new BootstrapError(installFailure(output));
  report(`Packages installed in ${seconds(startedAt)} s.`);
}

/** What a user can do about a failed `npm ci`, from its output. */
export function installFailure(output) {
  // npm ends a usage error with its whole manual page and every error with the place of its log.
  const said = output.split(/^npm error (?:Clean install|A complete log)/m)[0] ?? '';
  const detail = said.trim().split('\n').slice(0, 20).join('\n');
  const remedy = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET|ENOTCACHED/.test(output)
    ? 'The package registry could not be reached. Connect this machine (or set `npm config set registry` or `proxy` to yours) and run the command again.'
    : /EUSAGE|not in sync|lock file/.test(output)
      ? 'package.json and package-lock.json disagree. Run `npm install` and commit the lockfile.'
      : /ENOSPC/.test(output)
        ? 'The disk is full. About 1.5 GB are needed for node_modules; free some space and run the command again.'
        : 'See the message above; once it is mended, run the command again.';
  return `Installing the packages failed.\n\n${detail}\n\n${remedy}`;
}

function seconds(since) {
  return Math.round((Date.now() - since) / 1000);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

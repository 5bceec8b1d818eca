import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { BootstrapError } from './bootstrap-error.mjs';
import { installedProgram, ROOT } from './paths.mjs';

/** Millrace runs on this major version of Node; the bootstrap itself runs on 20 and later. */
const REQUIRED_MAJOR = 24;

/**
 * The Node that runs Millrace: the one pinned in package-lock.json where a build for this platform exists, else the
 * system's own when it is new enough.
 * @throws BootstrapError when there is neither
 */
export function nodeRuntime(root = ROOT) {
  const pinned = installedProgram('node', root);
  if (existsSync(pinned)) return pinned;
  if (Number(process.versions.node.split('.')[0]) >= REQUIRED_MAJOR) return process.execPath;
  throw new BootstrapError(
    `Millrace runs on Node ${REQUIRED_MAJOR}, and package-lock.json pins no build of it for ${process.platform} ${process.arch}.\n` +
      `This is Node ${process.versions.node}. Install Node ${REQUIRED_MAJOR} or later and run the command again.`,
  );
}

/** The environment in which every program of the project runs: the pinned Node and the installed programs come first. */
export function projectEnvironment(root = ROOT) {
  const programs = join(root, 'node_modules', '.bin');
  return { ...process.env, PATH: [programs, process.env.PATH ?? ''].join(delimiter) };
}

/**
 * A way to call npm that does not run on the Node in node_modules, which `npm ci` deletes before it reinstalls it.
 * @returns command and first arguments
 */
export function npmCommand(root = ROOT) {
  const inside = (path) => path.startsWith(join(root, 'node_modules') + sep);
  const { npm_execpath: npmScript, npm_node_execpath: npmNode } = process.env;
  if (npmScript?.endsWith('.js') && existsSync(npmScript)) {
    const node = [npmNode, process.execPath].find((path) => path && !inside(path) && existsSync(path));
    if (node) return [node, npmScript];
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder && !inside(folder + sep));
  const npm = folders.map((folder) => join(folder, 'npm')).find((path) => existsSync(path));
  if (npm && spawnSync(npm, ['--version'], { env: { ...process.env, PATH: folders.join(delimiter) } }).status === 0) {
    return [npm];
  }
  throw new BootstrapError(
    'npm was not found on PATH. Install Node.js with npm (https://nodejs.org) and run the command again.',
  );
}

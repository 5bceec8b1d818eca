import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from './paths.mjs';
import { captureProgram } from './run-program.mjs';

/** A registry that does not answer must not hold up the tests. */
const APT_PATIENCE = [
  '-o',
  'Acquire::Retries=0',
  '-o',
  'Acquire::http::Timeout=20',
  '-o',
  'Acquire::https::Timeout=20',
];

/**
 * A Prometheus for the tests that ask one: that on PATH, else, on Debian and Ubuntu, the distribution's package, unpacked
 * below the state folder and not installed: no service is started and nothing outside of the folder changes.
 * @returns the environment with its programs on PATH; as it was where there is none, and the reason is reported
 */
export async function withPrometheus(env, { state = join(ROOT, '.millrace'), report = console.error } = {}) {
  if (await runs('prometheus', ['--version'], env)) return env;
  const folder = join(state, 'prometheus');
  const programs = join(folder, 'usr', 'bin');
  const found = { ...env, PATH: [programs, env.PATH ?? ''].join(delimiter) };
  if (await runs(join(programs, 'prometheus'), ['--version'], env)) return found;
  report('No Prometheus on this machine; unpacking its package for the tests …');
  const problem = await unpack(env, state, folder);
  if (problem === null && (await runs(join(programs, 'prometheus'), ['--version'], env))) return found;
  report(`There is no Prometheus (${problem ?? 'it does not run'}): dashboards and alerts are checked without one.`);
  return env;
}

async function runs(program, args, env) {
  return (await captureProgram(program, args, { env }).catch(() => null))?.code === 0;
}

/** @returns what went wrong; null when nothing did */
async function unpack(env, state, folder) {
  if (!existsSync('/etc/debian_version')) return 'this is neither Debian nor Ubuntu';
  mkdirSync(state, { recursive: true });
  const download = mkdtempSync(join(state, 'apt-'));
  const quiet = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } };
  const fetchPackage = () =>
    captureProgram('apt-get', [...APT_PATIENCE, 'download', '-qq', 'prometheus'], { ...quiet, cwd: download }).catch(
      failure,
    );
  try {
    let fetched = await fetchPackage();
    if (fetched.code !== 0 && process.getuid?.() === 0) {
      // A fresh image knows no packages.
      await captureProgram('apt-get', [...APT_PATIENCE, 'update', '-qq'], quiet).catch(failure);
      fetched = await fetchPackage();
    }
    const [file] = readdirSync(download).filter((name) => name.endsWith('.deb'));
    if (fetched.code !== 0 || file === undefined) return `apt-get download: ${lastLine(fetched.output)}`;
    const unpacked = await captureProgram('dpkg-deb', ['-x', join(download, file), folder], { env }).catch(failure);
    return unpacked.code === 0 ? null : `dpkg-deb: ${lastLine(unpacked.output)}`;
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

function failure(error) {
  return { code: 1, output: error.message };
}

function lastLine(output) {
  return output.trim().split('\n').at(-1);
}

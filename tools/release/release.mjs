// node tools/release/release.mjs VERSION [--date YYYY-MM-DD] [--dry-run]: makes this tree the release VERSION. Changes
// package.json, package-lock.json, CHANGELOG.md and the tags in k8s/, writes the bill of materials, and prints what is left
// to do. With --dry-run it prints which lines it would change, and changes none.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../bootstrap/paths.mjs';
import { billOfMaterials } from './bill-of-materials.mjs';
import { releasedChangelog, requireNewer } from './released-changelog.mjs';

const overlays = ['staging', 'production', 'production-mig'].map((name) => `k8s/overlays/${name}/kustomization.yaml`);

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { date: { type: 'string' }, 'dry-run': { type: 'boolean', default: false } },
  });
  const [version] = positionals;
  const files = plan(version, values.date ?? new Date().toISOString().slice(0, 10));
  if (values['dry-run']) for (const [path, text] of Object.entries(files)) console.log(changesOf(path, text));
  else {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(ROOT, path)), { recursive: true });
      writeFileSync(join(ROOT, path), text);
    }
    console.log(`${Object.keys(files).join('\n')}\n\nThis tree is ${version} now. Left to do:
  npm test
  git commit -am "chore: release ${version}" && git tag v${version}
  for image in api worker-cpu worker-gpu; do docker build -f docker/$image.Dockerfile -t REGISTRY/millrace/$image:${version} .; done
Publish .millrace/sbom.cdx.json with the images.`);
  }
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

/** The lines that a file would have and has not, behind its name. */
function changesOf(path, text) {
  const file = join(ROOT, path);
  if (!existsSync(file) || path.startsWith('.millrace/')) return `${path}: written, ${text.length} bytes`;
  const old = readFileSync(file, 'utf8').split('\n');
  const added = text.split('\n').filter((line, index) => line !== '' && old[index] !== line && !old.includes(line));
  return `${path}:\n${added.map((line) => `  ${line.trim()}`).join('\n')}`;
}

/** Every file as it is to be; nothing is written when one of them can not be made. */
function plan(version, date) {
  const read = (path) => readFileSync(join(ROOT, path), 'utf8');
  const manifest = JSON.parse(read('package.json'));
  requireNewer(version, manifest.version);
  const lock = JSON.parse(read('package-lock.json'));
  lock.version = version;
  lock.packages[''].version = version;
  const files = {
    'CHANGELOG.md': releasedChangelog(read('CHANGELOG.md'), version, date),
    'package.json': read('package.json').replace(`"version": "${manifest.version}"`, `"version": "${version}"`),
    'package-lock.json': `${JSON.stringify(lock, null, 2)}\n`,
    '.millrace/sbom.cdx.json': `${JSON.stringify(billOfMaterials(lock, manifest), null, 2)}\n`,
  };
  for (const path of overlays) {
    const text = read(path).replaceAll(`newTag: ${manifest.version} }`, `newTag: ${version} }`);
    if (!text.includes(`newTag: ${version} }`))
      throw new Error(`${path} has no image with the tag ${manifest.version}.`);
    files[path] = text;
  }
  return files;
}

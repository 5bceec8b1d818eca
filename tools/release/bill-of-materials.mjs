/** The packages of a lockfile that run, as a CycloneDX bill of materials; the same for the same lockfile. */
export function billOfMaterials(lock, manifest) {
  const components = Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional)
    .map(([path, entry]) => componentOf(path.replace(/^.*node_modules\//, ''), entry));
  const unique = [...new Map(components.map((component) => [component.purl, component])).values()];
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': `millrace@${manifest.version}`,
        name: 'millrace',
        version: manifest.version,
        licenses: [{ license: { id: manifest.license } }],
      },
    },
    components: unique.sort((a, b) => (a.purl < b.purl ? -1 : 1)),
  };
}

function componentOf(name, { version, integrity, license }) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const [algorithm, digest] = (integrity ?? '').split('-');
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    ...(digest && {
      hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') }],
    }),
    ...(license && { licenses: [{ expression: license }] }),
  };
}

// Builds the images with buildah, as root, without a Docker engine, and tries them: `try-images.ts`, `try-compose.ts` and `try-overlay.ts` say how.
//   node tools/deploy/images/build-images.ts [api] [worker-cpu]     or --try alone, for images that are there
// NODE_IMAGE names the base; without it one is made from Debian's archive. NPMRC and CA name files given to npm alone.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeImage } from './base-image.ts';
import { output, run } from './program.ts';
import { tryCompose } from './try-compose.ts';
import { tryImages } from './try-images.ts';
import { tryOverlay } from './try-overlay.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const asked = process.argv.slice(2);
const tryOnly = asked[0] === '--try';
const images = tryOnly ? [] : asked.length > 0 ? asked : ['api', 'worker-cpu'];

const base = process.env.NODE_IMAGE ?? (tryOnly ? '' : await nodeImage(repository));
const secrets = [
  ['npmrc', process.env.NPMRC ?? `${process.env.HOME}/.npmrc`],
  ['ca', process.env.CA ?? '/etc/ssl/certs/ca-certificates.crt'],
].flatMap(([id, file]) => (file !== undefined && existsSync(file) ? ['--secret', `id=${id},src=${file}`] : []));
for (const image of images) {
  await run('buildah', [
    ...['bud', '--isolation', 'chroot', '--layers', '--format', 'docker', '--build-arg', `NODE_IMAGE=${base}`],
    ...secrets,
    ...['-f', `${repository}docker/${image}.Dockerfile`, '-t', `millrace-${image}`, repository],
  ]);
}
console.log(output('buildah', ['images']));
if (tryOnly || (images.includes('api') && images.includes('worker-cpu'))) {
  await tryImages();
  await tryCompose();
  await tryOverlay('production');
}

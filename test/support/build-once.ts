import { BUILT, build } from './product-process.ts';

/** Before the first of the files that start products, two of which at once would each build. */
export default function buildOnce(): void {
  build();
  process.env[BUILT] = 'yes';
}

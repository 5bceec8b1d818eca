// `npm run build`: compiles apps and libs into dist.
import { runMain } from './bootstrap-error.mjs';
import { prepare } from './prepare.mjs';

await runMain(async () => {
  await prepare();
  return 0;
});

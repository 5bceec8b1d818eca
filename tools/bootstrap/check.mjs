// `npm run check`: format, lint, types, dependency direction, cycles.
import { runMain } from './bootstrap-error.mjs';
import { prepare } from './prepare.mjs';
import { runChecks } from './run-checks.mjs';

await runMain(async () => {
  await prepare({ build: false });
  return (await runChecks()).length === 0 ? 0 : 1;
});

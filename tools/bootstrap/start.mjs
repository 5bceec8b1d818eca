// `npm start`: Redis, one API and one worker with the shipped model.
import { runMain } from './bootstrap-error.mjs';
import { millrace } from './run-millrace.mjs';

await runMain(() => millrace(['up', ...process.argv.slice(2)]));

#!/usr/bin/env node
// `npx millrace …`, from a clone.
import { runMain } from './bootstrap-error.mjs';
import { millrace } from './run-millrace.mjs';

await runMain(() => millrace(process.argv.slice(2)));

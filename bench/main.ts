import { markdownTable, type Row, suiteReport, writeReport } from './report/suite-report.ts';
import { admissionSuite } from './suites/admission.ts';
import { engineSuite } from './suites/engine.ts';
import { pathSuite } from './suites/path.ts';

/** `npm run bench -- [suite …] [--write]`: runs the suites (all when none is named) and prints their tables. */
const SUITES: Record<string, () => Promise<Row[]>> = {
  admission: admissionSuite,
  engine: engineSuite,
  path: pathSuite,
};

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const write = process.argv.includes('--write');
const unknown = named.filter((name) => !Object.hasOwn(SUITES, name));
if (unknown.length > 0) {
  console.error(`No suite is called ${unknown.join(', ')}. There are: ${Object.keys(SUITES).join(', ')}.`);
  process.exit(2);
}

for (const name of named.length > 0 ? named : Object.keys(SUITES)) {
  const run = SUITES[name];
  if (run === undefined) continue;
  const report = suiteReport(name, await run());
  console.log(markdownTable(report));
  if (write) writeReport(report, new URL('./results/', import.meta.url));
}

import { gpuReportName } from './gpu-report-name.ts';
import { writeIndex } from './report/results-index.ts';
import { markdownTable, type Row, type SuiteReport, suiteReport, writeReport } from './report/suite-report.ts';
import { admissionSuite } from './suites/admission.ts';
import { cancelSuite } from './suites/cancel.ts';
import { engineSuite } from './suites/engine.ts';
import { fairnessSuite } from './suites/fairness.ts';
import { firstSuite } from './suites/first.ts';
import { gpuSuite } from './suites/gpu.ts';
import { gpuAgreementSuite } from './suites/gpu-agreement.ts';
import { gpuGraphsSuite } from './suites/gpu-graphs.ts';
import { gpuPathSuite } from './suites/gpu-path.ts';
import { gpuShapeSuite } from './suites/gpu-shape.ts';
import { httpSuite } from './suites/http.ts';
import { loadSuite } from './suites/load.ts';
import { memorySuite } from './suites/memory.ts';
import { operatorsSuite } from './suites/operators.ts';
import { overloadSuite } from './suites/overload.ts';
import { pathSuite } from './suites/path.ts';
import { peersSuite } from './suites/peers.ts';
import { prefixSuite } from './suites/prefix.ts';
import { readersSuite } from './suites/readers.ts';
import { relaySuite } from './suites/relay.ts';
import { routingSuite } from './suites/routing.ts';
import { servingSuite } from './suites/serving.ts';
import { soakSuite } from './suites/soak.ts';
import { speculationSuite } from './suites/speculation.ts';
import { structuredSuite } from './suites/structured.ts';
import { tracingSuite } from './suites/tracing.ts';

/**
 * `npm run bench -- [suite …] [--write] [--quick]`: runs the suites (all when none is named) and prints their tables.
 * `--quick` is for trying a suite: its figures are no results, and it writes none.
 */
/** Rows, with a plot where bars beside peers do not show it. */
type Outcome = Row[] | { rows: Row[]; plot: (report: SuiteReport) => string };
const SUITES: Record<string, (options: { quick: boolean }) => Promise<Outcome>> = {
  admission: admissionSuite,
  cancel: cancelSuite,
  engine: engineSuite,
  fairness: fairnessSuite,
  first: firstSuite,
  gpu: gpuSuite,
  'gpu-agreement': gpuAgreementSuite,
  'gpu-graphs': gpuGraphsSuite,
  'gpu-path': gpuPathSuite,
  'gpu-shape': gpuShapeSuite,
  http: httpSuite,
  load: loadSuite,
  memory: memorySuite,
  operators: operatorsSuite,
  overload: overloadSuite,
  path: pathSuite,
  peers: peersSuite,
  prefix: prefixSuite,
  relay: relaySuite,
  routing: routingSuite,
  serving: servingSuite,
  readers: readersSuite,
  speculation: speculationSuite,
  structured: structuredSuite,
  tracing: tracingSuite,
  soak: soakSuite,
};
/** They take half an hour, need a GPU or packages of others, so they have to be asked for. */
const ONLY_NAMED = new Set(['soak', 'gpu', 'gpu-agreement', 'gpu-graphs', 'gpu-path', 'gpu-shape', 'peers', 'http']);

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const quick = process.argv.includes('--quick');
const write = process.argv.includes('--write') && !quick;
const unknown = named.filter((name) => !Object.hasOwn(SUITES, name));
if (unknown.length > 0) {
  console.error(`No suite is called ${unknown.join(', ')}. There are: ${Object.keys(SUITES).join(', ')}.`);
  process.exit(2);
}

// What a suite has started ends with the process: sides, APIs and workers hear that it is gone, Redis goes when it exits.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

for (const name of named.length > 0 ? named : Object.keys(SUITES).filter((suite) => !ONLY_NAMED.has(suite))) {
  const run = SUITES[name];
  if (run === undefined) continue;
  const outcome = await run({ quick });
  const { rows, plot } = Array.isArray(outcome) ? { rows: outcome, plot: undefined } : outcome;
  const report = suiteReport(name.startsWith('gpu') ? gpuReportName(name) : name, rows);
  console.log(markdownTable(report));
  if (!write) continue;
  const results = new URL('./results/', import.meta.url);
  writeReport(report, results, plot);
  writeIndex(results);
}
// Whatever a suite has left open.
process.exit();

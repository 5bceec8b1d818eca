// node tools/autoscaling/traffic/make-trace.ts FILE NAME: makes traffic/NAME.csv of a published trace of requests (columns
// TIMESTAMP, ContextTokens, GeneratedTokens, as in AzurePublicDataset): how much arrived in every five seconds.
import { readFileSync, writeFileSync } from 'node:fs';

const INTERVAL_MS = 5_000;
const [file, name] = process.argv.slice(2);
if (file === undefined || name === undefined)
  throw new Error('Say which file is to be read and how the trace is called.');

const [, ...lines] = readFileSync(file, 'utf8').trim().split(/\r?\n/);
const sums = new Map<number, [requests: number, context: number, generated: number]>();
let startMs: number | null = null;
for (const line of lines) {
  const [timestamp = '', context, generated] = line.split(',');
  const atMs = Date.parse(`${timestamp.slice(0, 23).replace(' ', 'T')}Z`);
  startMs ??= atMs;
  const index = Math.floor((atMs - startMs) / INTERVAL_MS);
  const sum = sums.get(index) ?? [0, 0, 0];
  sums.set(index, [sum[0] + 1, sum[1] + Number(context), sum[2] + Number(generated)]);
}
const rows = [...sums].map(([index, sum]) => [index, ...sum].join(','));
const head = [
  '# Traffic of Azure LLM inference services in November 2023, summed over intervals of five seconds; made by make-trace.ts',
  '# from AzurePublicDataset (Microsoft Corporation, CC-BY-4.0, see NOTICE).',
  'interval,requests,context tokens,generated tokens',
];
writeFileSync(new URL(`./${name}.csv`, import.meta.url), `${[...head, ...rows].join('\n')}\n`);
console.log(`${lines.length} requests in ${rows.length} intervals`);

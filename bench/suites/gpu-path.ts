import { basename } from 'node:path';
import type { ExecutionProvider } from '#contracts';
import { Cluster } from '../../test/support/cluster.ts';
import { wholeStreams } from '../clients/whole-streams.ts';
import { benchProvider } from '../gpu-provider.ts';
import { randomModel } from '../models/make-random-model.ts';
import { randomShape } from '../models/random-shapes.ts';
import { median, relativeSpread } from '../report/statistics.ts';
import { figureRow, type Row } from '../report/suite-report.ts';

const SHAPE = '0.5b';
const STREAMS = [1, 8, 32];
const ANSWER_TOKENS = 128;
const SLOT_TOKENS = 512;
/** What a worker needs of the environment to reach its device; a cluster's processes get nothing else of ours. */
const DEVICE_VARIABLES = [
  'LD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
  'VK_ICD_FILENAMES',
  'VK_DRIVER_FILES',
  'XDG_RUNTIME_DIR',
];

/**
 * The whole path on a device: streamed chat completions over HTTP, queue, a worker on the provider, relay and server-sent events, so many at
 * once. Every stream must end whole. The model is `MILLRACE_BENCH_PATH_MODEL` (a folder), or random float16 weights of
 * `MILLRACE_BENCH_PATH_SHAPE` (0.5b unless set).
 */
export async function gpuPathSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const provider = benchProvider();
  const modelFolder =
    process.env.MILLRACE_BENCH_PATH_MODEL ??
    (await randomModel(randomShape(process.env.MILLRACE_BENCH_PATH_SHAPE ?? SHAPE)));
  const model = basename(modelFolder);
  const [rounds, answerTokens] = quick ? [1, 16] : [5, ANSWER_TOKENS];
  await using cluster = await Cluster.start({
    modelFolder,
    worker: {
      ...deviceVariables(),
      MILLRACE_EXECUTION_PROVIDERS: provider,
      MILLRACE_SLOTS: String(Math.max(...STREAMS)),
      MILLRACE_SLOT_TOKENS: String(SLOT_TOKENS),
      // The line that tells what the model runs on.
      MILLRACE_LOG_LEVEL: 'info',
    },
  });
  const type = loadedType(cluster.output('worker'), provider);
  const rows: Row[] = [];
  for (const streams of STREAMS) {
    const rates: number[] = [];
    const firstMs: number[] = [];
    // Round 0 warms up.
    for (let round = 0; round <= rounds; round++) {
      const told = await wholeStreams(cluster, { model, streams, answerTokens, round: streams * 100 + round });
      if (round === 0) continue;
      rates.push((streams * answerTokens * 1_000) / told.endMs);
      firstMs.push(...told.firstMs);
    }
    const label = `${provider}, whole path, ${model} with a cache in ${type}, ${streams} stream${streams === 1 ? '' : 's'} at once`;
    const spread = `(spread ±${(relativeSpread(rates) * 100).toFixed(0)} %)`;
    rows.push(
      figureRow(
        `${label}: ${rounds * streams} answers of ${answerTokens} tokens, all whole ${spread}`,
        median(rates),
        'tokens/s',
      ),
      figureRow(`${label}: first token, p50`, median(firstMs), 'ms'),
    );
  }
  return rows;
}

function deviceVariables(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of DEVICE_VARIABLES) {
    const value = process.env[name];
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** The type of the cache, as the worker told it. @throws Error when the worker runs on another provider */
function loadedType(output: string, provider: ExecutionProvider): string {
  const line = output.split('\n').find((each) => each.includes('model is loaded')) ?? '';
  const [ran, type] = ['provider', 'kvType'].map((field) => new RegExp(`"${field}":"(\\w+)"`).exec(line)?.[1]);
  if (ran !== provider || type === undefined)
    throw new Error(`the worker runs on ${ran ?? 'an unknown provider'}, not on ${provider}: ${line.slice(0, 500)}`);
  return type;
}

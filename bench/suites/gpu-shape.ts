import { join } from 'node:path';
import type { ExecutionProvider } from '#contracts';
import { benchProvider } from '../gpu-provider.ts';
import { randomModel } from '../models/make-random-model.ts';
import { decodeStepBytes, type RandomShape, randomShape } from '../models/random-shapes.ts';
import { TorchSides } from '../peers/torch-sides.ts';
import { median, relativeSpread } from '../report/statistics.ts';
import { figureRow, pairedRatioRow, type Row, told } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { StepTokens } from '../sides/bare-loop-task.ts';

const SHAPE = '0.5b';
const BATCHES = [1, 8, 32];
const SLOTS = 32;
const PAST_TOKENS = 512;
/** For the steps of a measurement, and the rows that joined before. */
const ROOM_TOKENS = 128;
/** Against PyTorch, where it matters: many sequences at once on CUDA. */
const TARGET = { batch: 32, atLeast: 2 };

interface Bandwidth {
  readonly gbPerS: number;
  readonly source: string;
}

/** What `MILLRACE_BENCH_SHAPE` names: 0.5b unless set. */
export const benchShape = (): RandomShape => randomShape(process.env.MILLRACE_BENCH_SHAPE ?? SHAPE);

/**
 * Decode tokens/s of a shape with random float16 weights behind 512 tokens, against PyTorch with transformers on the same device and shape,
 * in turns, and against the time in which the device's memory can be read (`MILLRACE_BENCH_BANDWIDTH_GBPS`, or a copy that is measured
 * first). The model is made where it is missing.
 */
export async function gpuShapeSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const provider = benchProvider();
  const shape = benchShape();
  const bandwidth = await bandwidthOf(provider, quick);
  const copied = figureRow(`${provider}, memory read and written: ${bandwidth.source}`, bandwidth.gbPerS, 'GB/s');
  return [copied, ...(await shapeRows(provider, shape, bandwidth, quick))];
}

async function shapeRows(
  provider: ExecutionProvider,
  shape: RandomShape,
  bandwidth: Bandwidth,
  quick: boolean,
): Promise<Row[]> {
  const [rounds, steps] = quick ? [1, 3] : [5, 32];
  const modelFolder = await randomModel(shape);
  const settings = {
    modelFile: join(modelFolder, 'model.onnx'),
    loop: 'runner',
    providers: [provider],
    kvMemory: 'device',
    slots: SLOTS,
    slotTokens: PAST_TOKENS + ROOM_TOKENS,
  };
  await using ours = await oursOf(settings, provider === 'cuda' ? SLOTS : 0);
  const way = await decodeWay(ours);
  await using torch = await TorchSides.start(provider, modelFolder);
  const rows: Row[] = [];
  for (const batch of BATCHES) {
    const task = { kind: 'decode', rows: batch, pastTokens: PAST_TOKENS, steps };
    const perSecond = (stepMs: readonly number[]) => (batch / median(stepMs)) * 1_000;
    const own: number[] = [];
    const theirs = torch.rates();
    // Round 0 warms up, and compiles what is compiled.
    for (let round = 0; round <= rounds; round++) {
      const rate = perSecond(await ours.measure<number[]>(task));
      if (round > 0) own.push(rate);
      await torch.measure(task, (kind, stepMs) => {
        if (round > 0) theirs.get(kind)?.push(perSecond(stepMs));
      });
    }
    const name = `${provider} decode (${way}), ${shape.name} in float16, batch ${batch}, context ${PAST_TOKENS} (spread ±${(relativeSpread(own) * 100).toFixed(0)} %)`;
    const whole = torch.whole(theirs);
    const atLeast = provider === 'cuda' && batch === TARGET.batch ? TARGET.atLeast : undefined;
    if (whole.length === 0)
      rows.push(told({ ...figureRow(name, median(own), 'tokens/s'), peer: `PyTorch: not run (${torch.reason})` }));
    // The target is against the quickest.
    for (const [i, { name: peer, rates }] of whole.entries())
      rows.push(told(pairedRatioRow(name, own, 'tokens/s', peer, rates, i === 0 ? atLeast : undefined)));
    // Rows have up to `batch` tokens more than the shortest context, and the median step half of all steps.
    const bytes = decodeStepBytes(shape, batch, PAST_TOKENS + (batch + steps) / 2);
    const limit = (batch * bandwidth.gbPerS * 1e9) / bytes;
    rows.push({
      ...figureRow(`${name}: of the memory's limit, ${(bytes / 1e6).toFixed(0)} MB a step`, median(own), 'tokens/s'),
      peer: 'bandwidth ÷ bytes that a step reads',
      peerValue: limit,
      ratio: median(own) / limit,
    });
  }
  return rows;
}

/** With decode runs captured as CUDA graphs where that can be tried, and where the process does not get over it without. */
async function oursOf(settings: Record<string, unknown>, capturedRows: number): Promise<Side> {
  try {
    return await Side.start('bare-loop.ts', { ...settings, capturedRows });
  } catch (error) {
    if (capturedRows === 0) throw error;
    console.error(`with captured decode runs it does not start: ${(error as Error).message.split('\n', 1)[0]}`);
    return Side.start('bare-loop.ts', settings);
  }
}

async function decodeWay(ours: Side): Promise<string> {
  const step = { kind: 'tokens', rows: 1, pastTokens: 2, steps: 1 };
  const { graphReplays } = await ours.measure<StepTokens>(step);
  return graphReplays === null ? 'plain runs' : 'CUDA graphs';
}

async function bandwidthOf(provider: ExecutionProvider, quick: boolean): Promise<Bandwidth> {
  const told = process.env.MILLRACE_BENCH_BANDWIDTH_GBPS;
  if (told !== undefined) {
    const gbPerS = Number(told);
    if (!(gbPerS > 0 && Number.isFinite(gbPerS)))
      throw new Error(`MILLRACE_BENCH_BANDWIDTH_GBPS is "${told}"; it must be the memory's GB a second, above 0`);
    return { gbPerS, source: 'told by MILLRACE_BENCH_BANDWIDTH_GBPS' };
  }
  await using side = await Side.start('device-copy.ts', { provider });
  return { gbPerS: median(await side.measure<number[]>({ runs: quick ? 2 : 20 })), source: 'a copy, measured' };
}

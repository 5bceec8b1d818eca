import { join } from 'node:path';
import { benchProvider } from '../gpu-provider.ts';
import { randomModel } from '../models/make-random-model.ts';
import { median, relativeSpread } from '../report/statistics.ts';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { StepTokens } from '../sides/bare-loop-task.ts';
import { benchShape } from './gpu-shape.ts';

const BATCHES = [1, 8, 32];
const SLOTS = 32;
const PAST_TOKENS = 512;
/** For the steps of a measurement, and the rows that joined before. */
const ROOM_TOKENS = 128;

/**
 * Decode tokens/s of random float16 weights (`MILLRACE_BENCH_SHAPE`) with decode runs replayed as CUDA graphs (`MILLRACE_CUDA_GRAPHS`), against
 * the same runner without, in turns; and whether both choose the same tokens, which has to hold for any of it to count. On the CPU the inputs and
 * buffers of captured runs are used, and nothing is captured.
 */
export async function gpuGraphsSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const provider = benchProvider();
  const shape = benchShape();
  const [rounds, steps] = quick ? [1, 3] : [7, 32];
  const settings = {
    modelFile: join(await randomModel(shape), 'model.onnx'),
    loop: 'runner',
    providers: [provider],
    kvMemory: 'device',
    slots: SLOTS,
    slotTokens: PAST_TOKENS + ROOM_TOKENS,
  };
  await using replayed = await Side.start('bare-loop.ts', { ...settings, capturedRows: SLOTS });
  await using plain = await Side.start('bare-loop.ts', settings);
  const rows: Row[] = [];
  for (const batch of BATCHES) {
    const task = { rows: batch, pastTokens: PAST_TOKENS, steps };
    const name = `${provider} decode, ${shape.name} in float16, batch ${batch}, context ${PAST_TOKENS}`;
    rows.push(await sameTokens(replayed, plain, `${name}: tokens that are those of plain runs`, task));
    const rates = { replayed: [] as number[], plain: [] as number[] };
    for (let round = 0; round <= rounds; round++)
      for (const [kind, side] of Object.entries({ replayed, plain })) {
        const stepMs = await side.measure<number[]>({ kind: 'decode', ...task });
        if (round > 0) rates[kind as keyof typeof rates].push((batch / median(stepMs)) * 1_000);
      }
    const spread = Math.max(...Object.values(rates).map(relativeSpread));
    const label = `${name}, CUDA graphs (spread ±${(spread * 100).toFixed(0)} %)`;
    rows.push(pairedRatioRow(label, rates.replayed, 'tokens/s', 'plain runs', rates.plain));
  }
  return rows;
}

/** @throws Error with the reason where nothing was replayed */
async function sameTokens(replayed: Side, plain: Side, name: string, task: { steps: number }): Promise<Row> {
  const [got, expected] = [
    await replayed.measure<StepTokens>({ kind: 'tokens', ...task }),
    await plain.measure<StepTokens>({ kind: 'tokens', ...task }),
  ];
  if (got.graphReplays !== task.steps)
    throw new Error(`${got.graphReplays ?? 'no'} of ${task.steps} runs were replays: ${got.fallbacks.join('; ')}`);
  const same = got.tokens.filter((token, i) => token === expected.tokens[i]).length;
  const value = (same / expected.tokens.length) * 100;
  const alone = { peer: null, peerValue: null, ratio: null };
  return { name, value, unit: '%', ...alone, target: '100 %', holds: value === 100 };
}

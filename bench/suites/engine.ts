import { fileURLToPath } from 'node:url';
import { median, relativeSpread } from '../report/statistics.ts';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const BATCHES = [1, 8, 32];
const ROUNDS = 9;
const STEPS = 24;
const PAST_TOKENS = 128;

/** Decode tokens/s of the whole engine against the bare run loop on its runner and against onnxruntime-node's `session.run`. */
export async function engineSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const rounds = quick ? 5 : ROUNDS;
  const modelFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const shared = { modelFile: `${modelFolder}/model.onnx`, slots: 32, slotTokens: 512 };
  await using engine = await Side.start('engine-decode.ts', { ...shared, modelFolder });
  await using runner = await Side.start('bare-loop.ts', { ...shared, loop: 'runner' });
  await using session = await Side.start('bare-loop.ts', { ...shared, loop: 'session-run' });

  const rows: Row[] = [];
  for (const batch of BATCHES) {
    const rates = { engine: [] as number[], runner: [] as number[], session: [] as number[] };
    for (let round = 0; round <= rounds; round++) {
      for (const [name, side] of Object.entries({ engine, runner, session })) {
        const stepMs = await side.measure<number[]>({ rows: batch, pastTokens: PAST_TOKENS, steps: STEPS });
        // Round 0 warms caches and pages up.
        if (round > 0) rates[name as keyof typeof rates].push((batch / median(stepMs)) * 1000);
      }
    }
    const spread = Math.max(...Object.values(rates).map(relativeSpread));
    const name = `decode, batch ${batch} (spread ±${(spread * 100).toFixed(0)} %)`;
    rows.push(pairedRatioRow(name, rates.engine, 'tokens/s', 'bare run loop, same runner', rates.runner, 0.95));
    rows.push(pairedRatioRow(name, rates.engine, 'tokens/s', 'onnxruntime-node session.run', rates.session));
  }
  return rows;
}

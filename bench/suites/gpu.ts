import { fileURLToPath } from 'node:url';
import { inspectModel } from '#model-runner';
import { benchProvider } from '../gpu-provider.ts';
import { PeerSide } from '../peer-side.ts';
import { median, relativeSpread } from '../report/statistics.ts';
import { figureRow, limitRow, pairedRatioRow, type Row, told } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const BATCHES = [1, 8, 32];
const SLOTS = 32;
const LONGEST_SLOT_TOKENS = 2_048;
/** At any context, where candidates of logits are selected on the device. */
const MOST_STEP_BYTES = 1_000_000;
/** For the steps of a measurement, and the rows that joined before. */
const ROOM_TOKENS = 128;
/** Of one batch and context, after which no further round begins: a side that carries the cache in each step would take most of an hour. */
const POINT_BUDGET_MS = 30_000;

/**
 * Decode tokens/s of the runner on a device (`MILLRACE_BENCH_PROVIDER`, cuda unless set) against the same runner on the CPU
 * and against onnxruntime-node's JS API on the same device, which carries the cache to the host and back in every step. A step is a decode run and
 * the selection of its rows' candidates; the bytes are those of host tensors that its runs read and wrote.
 * `MILLRACE_BENCH_MODEL` names the model folder; the shipped model unless set. Any onnx-community fp16 export will do.
 */
export async function gpuSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const provider = benchProvider();
  const folder =
    process.env.MILLRACE_BENCH_MODEL ?? fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const [rounds, steps] = quick ? [1, 3] : [5, 16];
  const modelFile = `${folder}/model.onnx`;
  const signature = await inspectModel(modelFile);
  const slotTokens = Math.min(LONGEST_SLOT_TOKENS, signature.maxPositions ?? LONGEST_SLOT_TOKENS);
  const contexts = quick ? [64] : [128, slotTokens - ROOM_TOKENS];
  const shared = { modelFile, slots: SLOTS, slotTokens };

  const rows: Row[] = [];
  for (const pastTokens of contexts) {
    const onDevice = { loop: 'runner', providers: [provider], kvMemory: 'device' };
    await using device = await Side.start('bare-loop.ts', { ...shared, ...onDevice });
    await using cpu = await Side.start('bare-loop.ts', { ...shared, loop: 'runner', providers: ['cpu'] });
    // The JS API carries no half-precision arrays, so it has no side on fp16 models.
    await using session = await PeerSide.start(
      signature.cacheType === 'float32' ? null : 'the JS API carries no half precision',
      'bare-loop.ts',
      { ...shared, loop: 'session-run', providers: [provider] },
    );
    const stepBytes = await device.measure<number[]>({ kind: 'transfers', rows: SLOTS, pastTokens, steps });
    const transfers = `${provider}, bytes between host and device in a step, batch ${SLOTS}, context ${pastTokens}`;
    rows.push(told(limitRow(transfers, Math.max(...stepBytes), 'bytes', MOST_STEP_BYTES)));
    for (const batch of BATCHES) {
      const rates = { device: [] as number[], cpu: [] as number[], session: [] as number[] };
      const enough = performance.now() + POINT_BUDGET_MS;
      for (let round = 0; round <= rounds && (round < 2 || performance.now() < enough); round++) {
        for (const [name, side] of Object.entries({ device, cpu, session })) {
          const stepMs = await side.measure<number[]>({ kind: 'decode', rows: batch, pastTokens, steps });
          if (stepMs === null) continue;
          if (round > 0) rates[name as keyof typeof rates].push((batch / median(stepMs)) * 1000);
        }
      }
      const spread = Math.max(
        ...Object.values(rates)
          .filter((samples) => samples.length > 0)
          .map(relativeSpread),
      );
      const name = `${provider} decode, batch ${batch}, context ${pastTokens} (spread ±${(spread * 100).toFixed(0)} %)`;
      rows.push(told(pairedRatioRow(name, rates.device, 'tokens/s', 'the same runner on the CPU', rates.cpu)));
      if (session.missing !== null) {
        const peer = `onnxruntime-node session.run: not run (${session.missing})`;
        rows.push(told({ ...figureRow(name, median(rates.device), 'tokens/s'), peer }));
        continue;
      }
      const target = provider === 'cuda' && pastTokens > 1_000 ? 5 : undefined;
      const peer = 'onnxruntime-node session.run';
      rows.push(told(pairedRatioRow(name, rates.device, 'tokens/s', peer, rates.session, target)));
    }
  }
  return rows;
}

import { GREEDY, kvBytesOfToken } from '#contracts';
import { Engine } from '#engine';
import { inspectModel, openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { serveSide } from '../side.ts';
import { type BareLoopTask, BENCH_CHUNK_TOKENS, benchPrompt } from './bare-loop-task.ts';
import { bareDecode, barePrefill } from './bare-runs.ts';

/**
 * The whole engine, in-thread: scheduling, sampling, detokenizing and publishing around runs; and between its steps the same
 * runs bare, on the same runner. Two processes with the same model differ by a tenth in speed, by where its weights came to lie in
 * memory, so both loops have to be in one.
 */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
}

/** Milliseconds of steps, or of all prompts together. */
export interface BothTimes {
  readonly engineMs: readonly number[];
  readonly bareMs: readonly number[];
}

type DecodeTask = Extract<BareLoopTask, { readonly kind: 'decode' }>;

/** Steps of the engine, and then as many bare ones: a machine whose speed drifts does so for both. */
const STEPS_IN_TURN = 4;

serveSide<Settings, BareLoopTask, BothTimes>(async ({ modelFolder, slots, slotTokens }) => {
  const folder = await openModelFolder(modelFolder);
  const { modelFile } = folder;
  const size = { slots, slotTokens, threads: 0, maxChunkTokens: BENCH_CHUNK_TOKENS };
  // Rows of one context share their prompt, which is computed once.
  const kvBytesPerToken = await bytesOfToken(modelFile);
  const runner = await openModelRunner({
    modelFile,
    ...size,
    prefixCacheBytes: slotTokens * kvBytesPerToken,
    binding: 'c-api',
    prefillParts: 0,
  });
  const options = { runner, tokenTable: folder.tokenTable(), prefillChunkTokens: BENCH_CHUNK_TOKENS };
  const engine = new Engine(options);
  let serial = 0;
  let deltasInStep = 0;
  engine.onStep((output) => {
    deltasInStep = output.deltas.length;
  });
  const submit = (promptTokenIds: Int32Array, maxTokens: number, cacheScope: string, drawn = {}): void => {
    const stop = { tokenIds: [], strings: [], maxTokens };
    const sampling = { ...GREEDY, ...drawn, seed: serial };
    const parts = { requestId: `bench-${serial++}`, epoch: 1, promptTokenIds, choices: 1, sampling, stop };
    engine.submit({ ...parts, cacheScope, topLogprobs: null });
  };

  const decode = async ({ rows, pastTokens, steps, drawn }: DecodeTask): Promise<BothTimes> => {
    // Rows join one after another while earlier ones decode already: enough tokens that all rows overlap for `steps`.
    for (let row = 0; row < rows; row++) submit(benchPrompt(pastTokens, 0), steps + 2 * rows + 2, 'decode', drawn);
    const engineMs: number[] = [];
    const bareMs: number[] = [];
    while (true) {
      deltasInStep = 0;
      const prefilledBefore = engine.stats().prefillRunsTotal;
      const begin = performance.now();
      if (!(await engine.step())) break;
      const took = performance.now() - begin;
      const together = deltasInStep === rows && engine.stats().prefillRunsTotal === prefilledBefore;
      if (!together || engineMs.length === steps) continue;
      engineMs.push(took);
      // What the bare steps write lies behind the rows' tokens, where the engine's next steps write.
      if (engineMs.length % STEPS_IN_TURN === 0)
        bareMs.push(...(await bareDecode(runner, rows, pastTokens + engineMs.length, STEPS_IN_TURN)));
    }
    if (engineMs.length < steps) throw new Error(`all ${rows} rows decoded together for ${engineMs.length} steps only`);
    return { engineMs, bareMs };
  };

  const prefill = async (prompts: number, promptTokens: number): Promise<number> => {
    for (let prompt = 0; prompt < prompts; prompt++) submit(benchPrompt(promptTokens, serial), 1, `prefill-${serial}`);
    const begin = performance.now();
    await engine.runUntilIdle();
    return performance.now() - begin;
  };

  let bareComesFirst = false;
  return async (task) => {
    if (task.kind === 'decode') return decode(task);
    const { prompts, promptTokens } = task;
    bareComesFirst = !bareComesFirst;
    const early = bareComesFirst ? await barePrefill(runner, prompts, promptTokens) : null;
    const engineMs = await prefill(prompts, promptTokens);
    return { engineMs: [engineMs], bareMs: [early ?? (await barePrefill(runner, prompts, promptTokens))] };
  };
});

async function bytesOfToken(modelFile: string): Promise<number> {
  const signature = await inspectModel(modelFile);
  return kvBytesOfToken(signature, signature.ownCache ?? signature.cacheType);
}

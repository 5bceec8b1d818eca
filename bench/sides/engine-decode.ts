import { GREEDY } from '#contracts';
import { Engine } from '#engine';
import { inspectModel, openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { serveSide } from '../side.ts';
import { type BareLoopTask, BENCH_CHUNK_TOKENS, benchPrompt } from './bare-loop-task.ts';

/** The whole engine, in-thread: scheduling, sampling, detokenizing and publishing around the same runs. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
}

serveSide<Settings, BareLoopTask, number[]>(async ({ modelFolder, slots, slotTokens }) => {
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
  });
  const options = { runner, tokenTable: folder.tokenTable(), prefillChunkTokens: BENCH_CHUNK_TOKENS };
  const engine = new Engine(options);
  let serial = 0;
  let deltasInStep = 0;
  engine.onStep((output) => {
    deltasInStep = output.deltas.length;
  });
  const submit = (promptTokenIds: Int32Array, maxTokens: number, cacheScope: string): void => {
    const stop = { tokenIds: [], strings: [], maxTokens };
    const parts = { requestId: `bench-${serial++}`, epoch: 1, promptTokenIds, choices: 1, sampling: GREEDY, stop };
    engine.submit({ ...parts, cacheScope, topLogprobs: null });
  };

  const decode = async (rows: number, pastTokens: number, steps: number): Promise<number[]> => {
    // Rows join one after another while earlier ones decode already: enough tokens that all rows overlap for `steps`.
    for (let row = 0; row < rows; row++) submit(benchPrompt(pastTokens, 0), steps + 2 * rows + 2, 'decode');
    const stepMs: number[] = [];
    while (true) {
      deltasInStep = 0;
      const prefilledBefore = engine.stats().prefillRunsTotal;
      const begin = performance.now();
      if (!(await engine.step())) break;
      const took = performance.now() - begin;
      if (deltasInStep === rows && engine.stats().prefillRunsTotal === prefilledBefore) stepMs.push(took);
    }
    if (stepMs.length < steps) throw new Error(`all ${rows} rows decoded together for ${stepMs.length} steps only`);
    return stepMs.slice(0, steps);
  };

  const prefill = async (prompts: number, promptTokens: number): Promise<number[]> => {
    for (let prompt = 0; prompt < prompts; prompt++) submit(benchPrompt(promptTokens, serial), 1, `prefill-${serial}`);
    const begin = performance.now();
    await engine.runUntilIdle();
    return [performance.now() - begin];
  };

  return (task) =>
    task.kind === 'decode' ? decode(task.rows, task.pastTokens, task.steps) : prefill(task.prompts, task.promptTokens);
});

async function bytesOfToken(modelFile: string): Promise<number> {
  const { cache, cacheType, kvHeads, headSize } = await inspectModel(modelFile);
  return cache.length * kvHeads * headSize * (cacheType === 'float16' ? 2 : 4);
}

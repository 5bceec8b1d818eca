import { GREEDY } from '#contracts';
import { Engine } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { serveSide } from '../side.ts';

/** The whole engine, in-thread: scheduling, sampling, detokenizing and publishing around the same runs. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
}
interface Task {
  rows: number;
  pastTokens: number;
  steps: number;
}

serveSide<Settings, Task, number[]>(async (settings) => {
  const folder = await openModelFolder(settings.modelFolder);
  const runner = await openModelRunner({
    modelFile: folder.modelFile,
    slots: settings.slots,
    slotTokens: settings.slotTokens,
    threads: 0,
    binding: 'c-api',
    maxChunkTokens: 128,
  });
  const engine = new Engine({ runner, tokenTable: folder.tokenTable(), prefillChunkTokens: 128 });
  let serial = 0;
  let deltasInStep = 0;
  engine.onStep((output) => {
    deltasInStep = output.deltas.length;
  });
  return async ({ rows, pastTokens, steps }) => {
    const stepMs: number[] = [];
    for (let row = 0; row < rows; row++) {
      engine.submit({
        requestId: `bench-${serial++}`,
        epoch: 1,
        promptTokenIds: Int32Array.from({ length: pastTokens }, (_, i) => (i * 37 + row * 101 + 300) % 4000),
        choices: 1,
        sampling: GREEDY,
        // Rows join one after another while earlier ones decode already: enough tokens that all rows overlap for `steps`.
        stop: { tokenIds: [], strings: [], maxTokens: steps + 2 * rows + 2 },
        topLogprobs: null,
      });
    }
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
});

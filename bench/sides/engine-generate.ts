import { GREEDY } from '#contracts';
import { Engine } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import type { Generated, GenerateTask } from '../generate-task.ts';
import { serveSide } from '../side.ts';

/** The whole engine, in-thread, with as many requests at once as there are prompts. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
}

serveSide<Settings, GenerateTask, Generated>(async ({ modelFolder, slots, slotTokens }) => {
  const folder = await openModelFolder(modelFolder);
  const maxChunkTokens = 512;
  const runner = await openModelRunner({
    modelFile: folder.modelFile,
    slots,
    slotTokens,
    threads: 0,
    binding: 'c-api',
    prefillParts: 0,
    maxChunkTokens,
  });
  const engine = new Engine({ runner, tokenTable: folder.tokenTable(), prefillChunkTokens: maxChunkTokens });
  let serial = 0;
  return async ({ prompts, newTokens }) => {
    const rows = new Map<string, number>();
    const tokens: number[][] = prompts.map(() => []);
    const begin = performance.now();
    let firstMs = 0;
    engine.onStep((output) => {
      for (const delta of output.deltas) {
        const row = tokens[rows.get(delta.requestId) ?? -1];
        if (row === undefined) continue;
        if (row.length === 0) firstMs = performance.now() - begin;
        row.push(...delta.tokenIds);
      }
    });
    for (const [row, prompt] of prompts.entries()) {
      const requestId = `bench-${serial++}`;
      rows.set(requestId, row);
      engine.submit({
        requestId,
        epoch: 1,
        promptTokenIds: Int32Array.from(prompt),
        choices: 1,
        sampling: GREEDY,
        stop: { tokenIds: [], strings: [], maxTokens: newTokens },
        topLogprobs: null,
      });
    }
    while (await engine.step());
    return { tokens, firstMs, endMs: performance.now() - begin };
  };
});

import { GREEDY } from '#contracts';
import { Engine } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder, PromptRenderer } from '#models';
import { serveSide } from '../side.ts';

/** The whole engine, in-thread, with a prefix cache; every measurement tells the time to the first token. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
  prefixCacheBytes: number;
}
/** Prompts that all begin with the same `sharedTokens`, one after another; nothing of them was seen before. */
interface SharedPrefix {
  kind: 'shared';
  sharedTokens: number;
  ownTokens: number;
  prompts: number;
}
/** A chat through the model's own template: each turn's prompt holds what the model really said before. */
interface Chat {
  kind: 'chat';
  turns: number;
  answerTokens: number;
}

export interface PromptTiming {
  ttftMs: number;
  promptTokens: number;
  cachedTokens: number;
}

const WORDS = 'the river runs to a small town where people ask about bread, boats and the weather of last winter'.split(
  ' ',
);

serveSide<Settings, SharedPrefix | Chat, PromptTiming[]>(
  async ({ modelFolder, slots, slotTokens, prefixCacheBytes }) => {
    const folder = await openModelFolder(modelFolder);
    const renderer = PromptRenderer.fromCard(folder.card({ model: 'bench', contextLength: slotTokens }));
    const options = {
      modelFile: folder.modelFile,
      slots,
      slotTokens,
      prefixCacheBytes,
      threads: 0,
      maxChunkTokens: 128,
    };
    const runner = await openModelRunner({ ...options, binding: 'c-api', prefillParts: 0 });
    const engine = new Engine({ runner, tokenTable: folder.tokenTable(), prefillChunkTokens: 128 });
    let serial = 0;
    let seed = 1;

    let answer = { text: '', firstMs: 0, cachedTokens: 0 };
    engine.onStep(({ deltas, finished, failed }) => {
      if (failed[0] !== undefined) throw new Error(failed[0].message);
      for (const { text } of deltas) answer.text += text;
      if (answer.firstMs === 0 && deltas.length > 0) answer.firstMs = performance.now();
      for (const { cachedPromptTokens } of finished) answer.cachedTokens = cachedPromptTokens;
    });
    const ask = async (promptTokenIds: Int32Array, maxTokens: number): Promise<PromptTiming & { text: string }> => {
      answer = { text: '', firstMs: 0, cachedTokens: 0 };
      const begin = performance.now();
      engine.submit({
        requestId: `bench-${serial++}`,
        epoch: 1,
        promptTokenIds,
        choices: 1,
        sampling: GREEDY,
        stop: { tokenIds: [], strings: [], maxTokens },
        topLogprobs: null,
      });
      await engine.runUntilIdle();
      const { text, firstMs, cachedTokens } = answer;
      return { ttftMs: firstMs - begin, promptTokens: promptTokenIds.length, cachedTokens, text };
    };
    const draw = (limit: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (seed >>> 8) % limit;
    };
    const someTokens = (count: number) => Array.from({ length: count }, () => draw(runner.shape.vocabularySize));
    const someText = (words: number) => Array.from({ length: words }, () => WORDS[draw(WORDS.length)]).join(' ');

    return async (task) => {
      const timings: PromptTiming[] = [];
      if (task.kind === 'shared') {
        const shared = someTokens(task.sharedTokens);
        while (timings.length < task.prompts) {
          timings.push(await ask(Int32Array.from([...shared, ...someTokens(task.ownTokens)]), 1));
        }
        return timings;
      }
      const messages = [{ role: 'system', content: `You are a guide. ${someText(60)}` }];
      while (timings.length < task.turns) {
        messages.push({ role: 'user', content: `${someText(30)}?` });
        const { text, ...timing } = await ask(renderer.render(messages).tokenIds, task.answerTokens);
        messages.push({ role: 'assistant', content: text });
        timings.push(timing);
      }
      return timings;
    };
  },
);

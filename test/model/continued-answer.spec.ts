import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner, type TokenTable } from '#contracts';
import { Engine } from '#engine';
import { openModelRunner } from '#model-runner';
import { type ChatMessage, openModelFolder, PromptRenderer } from '#models';

const FOLDER = new URL('../../models/smollm2-135m-instruct/', import.meta.url).pathname;
const QUESTION = { role: 'user', content: 'What is the capital of France?' };
/** What transformers makes of the question, opened for an answer. */
const OPENED = [
  ...[
    1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2, 198, 1,
  ],
  ...[4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198],
];
const STORY = { role: 'user', content: 'Write a long story about a fox who wants to learn how to sail.' };
const TOKENS = 24;

let runner: ModelRunner;
let renderer: PromptRenderer;
let table: TokenTable;
beforeAll(async () => {
  const folder = await openModelFolder(FOLDER);
  renderer = PromptRenderer.fromCard(folder.card({ model: 'smollm2', contextLength: 512 }));
  table = folder.tokenTable();
  runner = await openModelRunner({
    ...{ modelFile: `${FOLDER}model.onnx`, slots: 1, slotTokens: 512, threads: 0 },
    ...{ binding: 'auto', maxChunkTokens: 64 },
  });
}, 60_000);
afterAll(() => runner?.close());

const begun = (question: ChatMessage, content: string) =>
  renderer.render([question, { role: 'assistant', content }], { continueFinalMessage: true }).tokenIds;

/** The most likely tokens, and their text. */
async function answerTo(promptTokenIds: Int32Array, maxTokens: number, continuesText: boolean) {
  const engine = new Engine({ runner, tokenTable: table, prefillChunkTokens: 64 });
  const answer = { tokenIds: [] as number[], text: '' };
  engine.onStep(({ deltas, failed }) => {
    expect(failed).toEqual([]);
    for (const { tokenIds, text } of deltas) {
      answer.tokenIds.push(...tokenIds);
      answer.text += text;
    }
  });
  const stop = { tokenIds: [], strings: [], maxTokens };
  engine.submit({
    ...{
      requestId: 'r',
      epoch: 1,
      promptTokenIds,
      choices: 1,
      sampling: GREEDY,
      stop,
      topLogprobs: null,
      continuesText,
    },
  });
  await engine.runUntilIdle();
  return answer;
}

describe('an answer that the client has begun', () => {
  it.each([
    ['', []],
    ['The capital of France is', [504, 3575, 282, 4649, 314]],
    ['The capital of France is ', [504, 3575, 282, 4649, 314, 216]],
    ['The capital of Fra', [504, 3575, 282, 20962]],
  ])('is prompted with the tokens that transformers makes of %j', (content, tokenIds) => {
    expect([...begun(QUESTION, content)]).toEqual([...OPENED, ...tokenIds]);
  });

  it('goes on with the tokens that the model’s own answer has behind it, wherever it is cut', {
    timeout: 120_000,
  }, async () => {
    const opened = renderer.render([STORY]).tokenIds;
    const own = await answerTo(opened, TOKENS, false);
    expect(own.text).toContain('fox');
    for (const length of [1, 3, 5, 6, 12]) {
      const content = Buffer.concat(
        own.tokenIds.slice(0, length).map((id) => table.bytes.subarray(table.offsets[id], table.offsets[id + 1])),
      ).toString();
      const prompt = begun(STORY, content);
      expect([...prompt]).toEqual([...opened, ...own.tokenIds.slice(0, length)]);
      const rest = await answerTo(prompt, TOKENS - length, true);
      expect(rest.tokenIds).toEqual(own.tokenIds.slice(length));
      expect(content + rest.text).toBe(own.text);
    }
  });
});

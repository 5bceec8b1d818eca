import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { DeliveredAnswer } from '../../libs/engine/src/testing/delivered-answer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { fixtureModel } from './fixture-models.ts';

const PREFILL_CHUNK_TOKENS = 48;
const SHIPPED_MODEL = fileURLToPath(new URL('../../models/smollm2-135m-instruct/model.onnx', import.meta.url));

/** Bytes of 40 blocks of the fixture models, so that conversations push each other out. */
const FIXTURE_CACHE_BYTES = 40 * 2 * 2 * 4 * 16 * 16 * 4;

/** mulberry32 */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed >>> 0) % limit;
  };
}

/** Answers with log probabilities, which tell of any bit of the logits that differs. */
async function answersOf(engine: Engine, requests: readonly EngineRequest[]) {
  const answers = requests.map(({ requestId, choices }) => new DeliveredAnswer(requestId, choices));
  const unfollow = answers.map((answer) => answer.follow(engine));
  for (const request of requests) engine.submit(request);
  await engine.runUntilIdle();
  for (const stop of unfollow) stop();
  for (const answer of answers) expect(answer.failure).toBeNull();
  return answers.map(({ choices }) => choices);
}

type Choices = Awaited<ReturnType<typeof answersOf>>[number];

const tokensOf = (choices: Choices) => choices[0]!.deltas.flatMap(({ tokenIds }) => [...tokenIds]);
const cachedOf = (choices: Choices) => choices[0]!.finish!.cachedPromptTokens;
const withoutCounts = (choices: Choices) =>
  choices.map(({ deltas, finish }) => ({ deltas, finish: { ...finish!, cachedPromptTokens: 0 } }));

const MODELS = [
  ...(
    [
      ['tiny-llama', 'auto'],
      ['tiny-qwen3', 'auto'],
      ['tiny-mha', 'auto'],
      // The way of CUDA and WebGPU, on the CPU provider's own allocator.
      ['tiny-llama', 'device'],
      ['tiny-qwen3', 'device'],
    ] as const
  ).map(([name, kvMemory]) => ({
    name: kvMemory === 'device' ? `${name} with a device cache` : name,
    modelFile: fixtureModel(name).modelFile,
    kvMemory,
    conversations: 3,
    turns: 3,
    rounds: 4,
    cacheBytes: FIXTURE_CACHE_BYTES,
  })),
  {
    name: 'the shipped model',
    modelFile: SHIPPED_MODEL,
    kvMemory: 'auto',
    conversations: 2,
    turns: 2,
    rounds: 1,
    cacheBytes: 64 << 20,
  },
] as const;

describe.each(MODELS)(
  'a prefix cache before $name',
  ({ modelFile, kvMemory, conversations, turns, rounds, cacheBytes }) => {
    let runner: ModelRunner;
    let coldRunner: ModelRunner;
    beforeAll(async () => {
      const size = { slots: 4, parkingSlots: 3, slotTokens: 400, threads: 2, maxChunkTokens: PREFILL_CHUNK_TOKENS };
      runner = await openModelRunner({ modelFile, ...size, binding: 'auto', kvMemory, prefixCacheBytes: cacheBytes });
      expect(runner.description).toMatchObject({ kvMemory: kvMemory === 'device' ? 'device' : 'host', fallbacks: [] });

      coldRunner = await openModelRunner({ modelFile, ...size, binding: 'auto', kvMemory });
    });
    afterAll(async () => {
      await runner?.close();
      await coldRunner?.close();
    });

    const open = (on: ModelRunner) => {
      const tokenTable = numberedTokenTable(runner.shape.vocabularySize);
      return new Engine({ runner: on, tokenTable, prefillChunkTokens: PREFILL_CHUNK_TOKENS });
    };
    const cold = () => open(coldRunner);
    const draw = randomBelow(7);
    const someTokens = (count: number) => Array.from({ length: count }, () => draw(runner.shape.vocabularySize));
    const request = (requestId: string, prompt: readonly number[], tenant: number): EngineRequest => ({
      requestId,
      epoch: 1,
      tenantId: `tenant-${tenant}`,
      cacheScope: `tenant-${tenant}`,
      promptTokenIds: Int32Array.from(prompt),
      choices: 1 + draw(2),
      sampling: draw(2) === 0 ? { ...GREEDY } : { ...GREEDY, temperature: 1, seed: draw(1_000) },
      stop: { tokenIds: [], strings: [], maxTokens: 4 + draw(8) },
      topLogprobs: 2,
    });

    it('changes no bit of random conversations that share beginnings, are parked and push each other out', async () => {
      const system = someTokens(33 + draw(40));
      let hits = 0;
      for (let round = 0; round < rounds; round++) {
        const warm = open(runner);
        const histories = Array.from({ length: conversations }, () => [...system]);
        for (let turn = 0; turn < turns; turn++) {
          const asked = histories.map((history, index) => {
            history.push(...someTokens(1 + draw(30)));
            return request(`${index}`, history, index % 2);
          });
          const answers = await answersOf(warm, asked);
          for (const [index, each] of asked.entries()) {
            const [alone] = await answersOf(cold(), [each]);
            expect(withoutCounts(answers[index]!)).toEqual(withoutCounts(alone!));
            histories[index]!.push(...tokensOf(answers[index]!));
          }
        }
        hits += warm.stats().prefixHitTokensTotal;
      }
      expect(hits).toBeGreaterThan(50);
    });

    it('computes of a next turn nothing but the new message, and the last answer where decode runs have other bits', async () => {
      const { runInvariant } = runner.description;
      const warm = open(runner);
      const prompt = someTokens(61);
      const [first] = await answersOf(warm, [request('first', prompt, 0)]);
      expect(cachedOf(first!)).toBe(0);
      const next = [...prompt, ...tokensOf(first!), ...someTokens(9)];
      const [second] = await answersOf(warm, [request('second', next, 0)]);
      // The last token of an answer is computed by nobody.
      expect(cachedOf(second!)).toBe(prompt.length + (runInvariant ? tokensOf(first!).length - 1 : 0));
      const [again] = await answersOf(warm, [request('again', next, 0)]);
      expect(cachedOf(again!)).toBe(next.length - (runInvariant ? 1 : 2));
      const [other] = await answersOf(warm, [request('other', next, 1)]);
      expect(cachedOf(other!)).toBe(0);
    });

    it('goes on exactly where another worker stopped, with the prompt computed before', async () => {
      const asked: EngineRequest = { ...request('moved', someTokens(50), 0), choices: 1 };
      const [whole] = await answersOf(cold(), [asked]);
      const resume = [{ tokenIds: tokensOf(whole!).slice(0, 3), finished: false }];
      const warm = open(runner);
      await answersOf(warm, [{ ...asked, requestId: 'before' }]);
      const deltas: unknown[] = [];
      warm.onStep((output) => deltas.push(...output.deltas));
      warm.submit({ ...asked, epoch: 2, resume });
      await warm.runUntilIdle();
      expect(deltas).toEqual(whole![0]!.deltas.slice(3).map((delta) => ({ ...delta, epoch: 2 })));
      // All but the last of the prompt, and where answers are kept of what was delivered.
      expect(warm.stats().prefixHitTokensTotal).toBe(runner.description.runInvariant ? 52 : 48);
    });
  },
);

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { exportedModel, exportReference } from './exported-model.ts';
import { differingValues, generateAlone, largestDifference, prefillInChunks } from './runner-driver.ts';

const SLOTS = 4;
const CHUNK_TOKENS = 32;
const STEPS = 16;
/** Positions in the shorter one of phi4-mini's rotary tables. */
const SHORT_TABLE = 64;
/**
 * Of logits with a standard deviation near 3: sums in another order; the builder's Gemma, which rounds the embedding's scale to
 * two decimals; half precision; activations rounded to 8 bits beside quantized weights, by block or by step.
 */
const TOLERANCE = { exact: 1e-3, gemma: 1e-2, half: 0.15, rounded: 0.6, shared: 1.5 };

type Export = readonly [
  path: string,
  family: string,
  kvCache: 'in-place' | 'copying',
  precision: keyof typeof TOLERANCE,
  positions?: number,
];

const EXPORTS: readonly Export[] = [
  ['llama-builder-fp32', 'llama', 'in-place', 'exact'],
  ['llama-builder-fp16', 'llama', 'in-place', 'half'],
  ['llama-builder-int4', 'llama', 'in-place', 'rounded'],
  ['llama-builder-int8', 'llama', 'in-place', 'rounded'],
  ['llama-builder-int4-fp16', 'llama', 'in-place', 'rounded'],
  ['smollm2-builder-fp32', 'smollm2', 'in-place', 'exact'],
  ['mistral-builder-int4', 'mistral', 'in-place', 'rounded'],
  ['mistral-window-builder-fp32', 'mistral-window', 'in-place', 'exact'],
  ['qwen2-builder-int4', 'qwen2', 'in-place', 'rounded'],
  ['qwen3-builder-fp32', 'qwen3', 'in-place', 'exact'],
  ['phi3-builder-fp32', 'phi3', 'in-place', 'exact'],
  ['phi4-mini-builder-int4', 'phi4-mini', 'in-place', 'rounded', SHORT_TABLE],
  ['gemma-builder-fp32', 'gemma', 'in-place', 'gemma'],
  ['gemma2-builder-fp32', 'gemma2', 'in-place', 'gemma'],
  ['gemma2-builder-ring', 'gemma2', 'in-place', 'rounded'],
  ['smollm3-optimum', 'smollm3', 'copying', 'exact'],
  ['llama-community/onnx/model_fp16.onnx', 'llama', 'copying', 'half'],
  ['llama-community/onnx/model_q4.onnx', 'llama', 'copying', 'rounded'],
  ['llama-community/onnx/model_q4f16.onnx', 'llama', 'copying', 'rounded'],
  ['llama-community/onnx/model_quantized.onnx', 'llama', 'copying', 'shared'],
  ['qwen3-community', 'qwen3', 'copying', 'rounded'],
];

/** What cannot be served, and what the user is told. */
const REFUSED: readonly (readonly [path: string, message: RegExp])[] = [
  ['qwen3-builder-int4-fp16', /q_norm_weight.*only on the CUDA and WebGPU/],
  ['llama-builder-fp16-cpu', /cannot go on from its own cache.*GroupQueryAttention/],
];

for (const [path, family, kvCache, precision, positions] of EXPORTS)
  describe(`the export ${path}`, () => {
    const matches = precision === 'exact' || precision === 'gemma' || precision === 'half';
    const reference = exportReference(family);
    let runner: ModelRunner;
    let prompts: typeof reference.prompts;

    beforeAll(async () => {
      const { modelFile, config } = await openModelFolder(exportedModel(path));
      expect(config.vocabularySize).toBe(reference.vocabularySize);
      runner = await openModelRunner({
        modelFile,
        slots: SLOTS,
        slotTokens: positions ?? 128,
        threads: 1,
        binding: 'auto',
        maxChunkTokens: CHUNK_TOKENS,
      });
      prompts = reference.prompts.filter(({ promptIds }) => promptIds.length + STEPS <= runner.slotTokens);
    });
    afterAll(async () => {
      await runner?.close();
    });

    it('is run as it should be', () => {
      expect(runner.description).toMatchObject({ kvCache, binding: 'c-api' });
      expect(runner.description.fallbacks).toEqual([]);
      expect(prompts.length).toBeGreaterThanOrEqual(3);
    });

    it('gives the logits and greedy tokens of transformers', async () => {
      const differences: number[] = [];
      // Also of prompts behind which there is no place for all their tokens.
      for (const { promptIds, generatedIds, logits } of reference.prompts) {
        for (const { generatedIndex, values } of logits) {
          const before = [...promptIds, ...generatedIds.slice(0, generatedIndex)];
          if (before.length > runner.slotTokens) continue;
          differences.push(largestDifference(await prefillInChunks(runner, 0, before, CHUNK_TOKENS), values));
        }
      }
      expect(differences).not.toEqual([]);
      expect(Math.max(...differences)).toBeLessThanOrEqual(TOLERANCE[precision]);
      for (const { promptIds, generatedIds } of prompts) {
        const { tokens } = await generateAlone(runner, promptIds, STEPS, CHUNK_TOKENS);
        if (matches) expect(tokens).toEqual(generatedIds);
      }
    });

    it('gives an engine the same answers alone and in ragged batches', async () => {
      const alone = [];
      for (const { promptIds } of prompts) alone.push((await answers(runner, [promptIds]))[0]);
      expect(
        await answers(
          runner,
          prompts.map(({ promptIds }) => promptIds),
        ),
      ).toEqual(alone);
      if (matches) expect(alone).toEqual(prompts.map(({ generatedIds }) => generatedIds));
    });

    const cut =
      precision === 'shared'
        ? 'gives a prompt the same bits every time'
        : 'gives a prompt the same bits however it is cut';
    it(cut, async () => {
      const prompt = prompts.at(-1)!.promptIds;
      const whole = await prefillInChunks(runner, 0, prompt, prompt.length);
      for (const chunks of precision === 'shared' ? [prompt.length] : [[2], [20, 10], 16, 7])
        expect(differingValues(await prefillInChunks(runner, 2, prompt, chunks), whole)).toBe(0);
    });
  });

describe('a graph that is changed as it is loaded', () => {
  it('is loaded with its external data through the JS API too', async () => {
    const { modelFile } = await openModelFolder(exportedModel('gemma2-builder-ring'));
    const { promptIds } = exportReference('gemma2').prompts.at(-1)!;
    const logits = [];
    for (const binding of ['c-api', 'js-api'] as const) {
      const settings = { modelFile, slots: 1, slotTokens: 128, threads: 1, maxChunkTokens: CHUNK_TOKENS };
      const runner = await openModelRunner({ ...settings, binding });
      logits.push(await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS));
      await runner.close();
    }
    expect(differingValues(logits[0]!, logits[1]!)).toBe(0);
  });
});

describe('an export with two rotary tables', () => {
  it('takes the longer one for all rows where slots are longer than the shorter one', async () => {
    const { modelFile } = await openModelFolder(exportedModel('phi4-mini-builder-int4'));
    const runner = await openModelRunner({
      modelFile,
      slots: SLOTS,
      slotTokens: 128,
      threads: 1,
      binding: 'auto',
      maxChunkTokens: CHUNK_TOKENS,
    });
    expect(runner.shape.maxPositions).toBe(256);
    const long = exportReference('phi4-mini').prompts.filter(({ promptIds }) => promptIds.length > SHORT_TABLE);
    for (const { promptIds, generatedIds, logits } of long) {
      const computed = await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS);
      for (const { values } of logits) expect(largestDifference(computed, values)).toBeLessThan(TOLERANCE.rounded);
      expect((await generateAlone(runner, promptIds, STEPS, CHUNK_TOKENS)).tokens).toEqual(generatedIds);
    }
    const prompts = long.map(({ promptIds }) => promptIds);
    expect(await answers(runner, [[1, 2, 3], ...prompts])).toMatchObject([
      expect.anything(),
      ...long.map(({ generatedIds }) => generatedIds),
    ]);
    await runner.close();
  });
});

describe('what cannot be served', () => {
  it.each(REFUSED)('refuses %s and says why', async (path, message) => {
    const { modelFile } = await openModelFolder(exportedModel(path));
    const opening = openModelRunner({
      modelFile,
      slots: 1,
      slotTokens: 64,
      threads: 1,
      binding: 'auto',
      maxChunkTokens: CHUNK_TOKENS,
    });
    await expect(opening).rejects.toThrow(message);
  });

  it('refuses a folder of several variants with their names, and takes the one that is named', async () => {
    await expect(openModelFolder(exportedModel('llama-community'))).rejects.toThrow(
      /onnx\/model_fp16.onnx, onnx\/model_q4.onnx, .*name one of them: .*llama-community\/onnx\/model_fp16.onnx/,
    );
    expect((await openModelFolder(exportedModel('llama-community/onnx/model_q4.onnx'))).name).toBe('llama-community');
  });
});

/** Greedy answers of one engine that has all the prompts at once. */
async function answers(runner: ModelRunner, promptIds: readonly (readonly number[])[]): Promise<number[][]> {
  const engine = new Engine({
    runner,
    tokenTable: numberedTokenTable(runner.shape.vocabularySize),
    prefillChunkTokens: CHUNK_TOKENS,
  });
  const tokens = new Map<string, number[]>();
  const failures: string[] = [];
  engine.onStep(({ deltas, failed }) => {
    for (const { requestId, tokenIds } of deltas)
      tokens.set(requestId, [...(tokens.get(requestId) ?? []), ...tokenIds]);
    for (const { message } of failed) failures.push(message);
  });
  promptIds.forEach((prompt, index) => {
    const request: EngineRequest = {
      requestId: `p${index}`,
      epoch: 1,
      promptTokenIds: Int32Array.from(prompt),
      choices: 1,
      sampling: GREEDY,
      stop: { tokenIds: [], strings: [], maxTokens: STEPS },
      topLogprobs: null,
    };
    engine.submit(request);
  });
  await engine.runUntilIdle();
  expect(failures).toEqual([]);
  return promptIds.map((_, index) => tokens.get(`p${index}`) ?? []);
}

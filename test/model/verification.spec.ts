import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { ModelRunner, Verification } from '#contracts';
import { openModelRunner } from '#model-runner';
import { exportedModel } from './exported-model.ts';
import { fixtureModel } from './fixture-models.ts';
import { differingValues, largestDifference, logitsRow } from './runner-driver.ts';

const SHIPPED = fileURLToPath(new URL('../../models/smollm2-135m-instruct/model.onnx', import.meta.url));
const MOST_TOKENS = 8;

/** How far the logits of prompts and of decode runs may be apart: int8 activations round differently. */
const MODELS: readonly {
  name: string;
  modelFile: string;
  prefillParts?: number;
  decodeTolerance?: number;
  copies?: true;
}[] = [
  { name: 'tiny-llama', modelFile: fixtureModel('tiny-llama').modelFile },
  { name: 'tiny-llama in parts', modelFile: fixtureModel('tiny-llama').modelFile, prefillParts: 2 },
  { name: 'tiny-qwen2, whose graph leaves the last position', modelFile: fixtureModel('tiny-qwen2').modelFile },
  { name: 'tiny-qwen2 in parts', modelFile: fixtureModel('tiny-qwen2').modelFile, prefillParts: 2 },
  { name: 'tiny-mha, whose cache is copied', modelFile: fixtureModel('tiny-mha').modelFile, copies: true },
  {
    name: 'a 4-bit export with half-precision logits',
    modelFile: exportedModel('llama-builder-int4-fp16/model.onnx'),
    decodeTolerance: 0.2,
  },
  {
    name: 'a 4-bit export of other tools',
    modelFile: exportedModel('llama-community/onnx/model_q4.onnx'),
    decodeTolerance: 0.2,
  },
  { name: 'the shipped model', modelFile: SHIPPED, decodeTolerance: 2 },
  { name: 'the shipped model in parts', modelFile: SHIPPED, prefillParts: 4, decodeTolerance: 2 },
];

const token = (i: number) => (i * 37 + 5) % 300;
const PROMPT = Int32Array.from({ length: 30 }, (_, i) => token(i));

const open = (modelFile: string, verifyTokens: number, prefillParts = 1) =>
  openModelRunner({
    modelFile,
    slots: 2,
    slotTokens: 64,
    threads: 1,
    binding: 'c-api',
    maxChunkTokens: 64,
    prefillParts,
    verifyTokens,
  });

function verificationOf({ verification }: ModelRunner): Verification {
  if (verification == null) throw new Error('the runner verifies nothing');
  return verification;
}

/** The logits that choose the token behind a prompt's first `tokens`. */
async function behind(runner: ModelRunner, tokens: number): Promise<Float32Array> {
  await runner.prefill(1, PROMPT.subarray(0, tokens), 0);
  return logitsRow(runner);
}

it.for(MODELS)('$name: what several tokens give is what a prompt of them gives', async (model) => {
  const runner = await open(model.modelFile, MOST_TOKENS, model.prefillParts);
  const verification = verificationOf(runner);
  expect(verification.maxTokens).toBe(MOST_TOKENS);
  expect(runner.description.fallbacks).toEqual([]);
  for (const [past, tokens] of [
    [0, 5],
    [3, 2],
    [11, MOST_TOKENS],
    [20, 1],
  ] as const) {
    if (past > 0) await runner.prefill(0, PROMPT.subarray(0, past), 0);
    await verification.run(0, PROMPT.subarray(past, past + tokens), past);
    const rows = Array.from({ length: tokens }, (_, row) => logitsRow(runner, row));
    for (const [row, logits] of rows.entries()) {
      const expected = await behind(runner, past + row + 1);
      // A run of a single token takes attention's path for decode runs, here or in the prompt it is compared with.
      const alone = tokens === 1 || past + row === 0;
      if (alone || model.copies)
        expect(largestDifference(logits, expected)).toBeLessThan(model.decodeTolerance ?? 1e-3);
      else expect(differingValues(logits, expected)).toBe(0);
    }
  }
  await runner.close();
});

it.for(MODELS)('$name: rejected tokens leave no trace, and accepted ones can be gone on from', async (model) => {
  const runner = await open(model.modelFile, MOST_TOKENS, model.prefillParts);
  const verification = verificationOf(runner);
  const decodeAt = async (past: number) => {
    await runner.decode(1, PROMPT.subarray(past, past + 1), Int32Array.of(past));
    return logitsRow(runner);
  };
  await runner.prefill(0, PROMPT.subarray(0, 10), 0);
  const expected = [await decodeAt(10), await decodeAt(11)];
  await runner.prefill(0, PROMPT.subarray(0, 10), 0);
  await verification.run(0, Int32Array.of(10, 290, 280, 270, 260), 10);
  expect(differingValues(await decodeAt(10), expected[0]!)).toBe(0);
  await verification.run(0, Int32Array.of(1, 2, 3, 4, 5, 6), 11);
  expect(differingValues(await decodeAt(11), expected[1]!)).toBe(0);

  await verification.run(0, Int32Array.of(token(12), token(13), 7, 8), 12);
  const accepted = await decodeAt(14);
  await runner.prefill(0, PROMPT.subarray(0, 14), 0);
  expect(largestDifference(accepted, await decodeAt(14))).toBeLessThan(model.decodeTolerance ?? 1e-3);
  await runner.close();
});

it.for(MODELS)('$name: prompts and decode runs have the bits that they have without it', async (model) => {
  const runs = async (verifyTokens: number) => {
    const runner = await open(model.modelFile, verifyTokens, model.prefillParts);
    const rows = [await behind(runner, 24), await behind(runner, 1)];
    await runner.prefill(0, PROMPT.subarray(0, 9), 0);
    rows.push(logitsRow(runner));
    if (verifyTokens > 0) await verificationOf(runner).run(0, Int32Array.of(1, 2, 3), 9);
    await runner.decode(2, Int32Array.of(7, 8), Int32Array.of(9, 1));
    rows.push(logitsRow(runner, 0), logitsRow(runner, 1));
    await runner.close();
    return rows;
  };
  const expected = await runs(0);
  for (const [i, row] of (await runs(MOST_TOKENS)).entries()) expect(differingValues(row, expected[i]!)).toBe(0);
});

it('refuses more tokens than it was opened for, and takes a single one', async () => {
  const runner = await open(fixtureModel('tiny-llama').modelFile, 3);
  const verification = verificationOf(runner);
  expect(runner.logits).toHaveLength(3 * runner.shape.vocabularySize);
  expect(() => verification.run(0, PROMPT.subarray(0, 4), 0)).toThrow(/4 tokenIds .* 1 to 3/);
  expect(() => verification.run(0, PROMPT.subarray(0, 3), 62)).toThrow(/do not fit/);
  expect(() => verification.run(2, PROMPT.subarray(0, 3), 0)).toThrow(/slot is 2/);
  await runner.close();
  const plain = await open(fixtureModel('tiny-llama').modelFile, 0);
  expect(plain.verification).toBeNull();
  await plain.close();
});

it.for([
  [
    'scales of a whole run',
    exportedModel('llama-community/onnx/model_quantized.onnx'),
    undefined,
    /scales of activations/,
  ],
  ["a device's memory", fixtureModel('tiny-llama').modelFile, 'device', /device's cache/],
] as const)('goes without it, and says why, with %s', async ([, modelFile, kvMemory, reason]) => {
  const runner = await openModelRunner({
    modelFile,
    slots: 1,
    slotTokens: 16,
    threads: 1,
    binding: 'c-api',
    maxChunkTokens: 16,
    verifyTokens: 4,
    kvMemory: kvMemory ?? 'auto',
  });
  expect(runner.verification ?? null).toBeNull();
  expect(runner.description.fallbacks).toEqual([expect.stringMatching(reason)]);
  await runner.close();
});

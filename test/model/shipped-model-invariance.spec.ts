import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRunner } from '#contracts';
import { openModelRunner, productsHere } from '#model-runner';
import { differingValues, logitsRow, prefillInChunks } from './runner-driver.ts';

const MODEL_FILE = fileURLToPath(new URL('../../models/smollm2-135m-instruct/model.onnx', import.meta.url));
const LENGTHS = [5, 17, 33, 40, 64, 90, 12, 77];
const STEPS = 3;

describe.each(['auto', 'onnxruntime'] as const)('the shipped model, products by %s', (products) => {
  let runner: ModelRunner;
  beforeAll(async () => {
    runner = await openModelRunner({
      modelFile: MODEL_FILE,
      slots: LENGTHS.length,
      slotTokens: 512,
      threads: 0,
      binding: 'c-api',
      maxChunkTokens: 512,
      products,
    });
  });
  afterAll(async () => {
    await runner.close();
  });

  const promptToken = (sequence: number, i: number) => (i * 337 + sequence * 1013 + 3) % runner.shape.vocabularySize;
  const nextToken = (sequence: number, step: number) => (step * 1109 + sequence * 71 + 5) % runner.shape.vocabularySize;
  const prompt = (sequence: number, length: number) => Int32Array.from({ length }, (_, i) => promptToken(sequence, i));

  it('keeps the cache in place', () => {
    expect(runner.description.kvCache).toBe('in-place');
    const ours = products === 'auto' && productsHere().startsWith('our own library');
    expect(runner.description.ownProducts).toBe(ours ? 121 : 0);
    expect(runner.shape).toMatchObject({ layers: 30, kvHeads: 3, headSize: 64, vocabularySize: 49_152 });
  });

  it('gives a row the same bits alone and in ragged batches of 8, 5 and 2', { timeout: 120_000 }, async () => {
    const alone: Float32Array[][] = [];
    for (const [sequence, length] of LENGTHS.entries()) {
      const logits = [await prefillInChunks(runner, 0, prompt(sequence, length), 64)];
      for (let step = 0; step < STEPS; step++) {
        await runner.decode(1, Int32Array.of(nextToken(sequence, step)), Int32Array.of(length + step));
        logits.push(logitsRow(runner));
      }
      alone.push(logits);
    }
    let differing = 0;
    for (const [sequence, length] of LENGTHS.entries())
      differing += differingValues(
        await prefillInChunks(runner, sequence, prompt(sequence, length), 64),
        alone[sequence]![0]!,
      );
    for (let step = 0; step < STEPS; step++)
      for (const rows of [8, 5, 2]) {
        const tokens = Int32Array.from(LENGTHS, (_, sequence) => nextToken(sequence, step));
        const pasts = Int32Array.from(LENGTHS, (length) => length + step);
        await runner.decode(rows, tokens, pasts);
        for (let row = 0; row < rows; row++)
          differing += differingValues(logitsRow(runner, row), alone[row]![1 + step]!);
      }
    expect(differing).toBe(0);
  });

  it('gives the same bits for any split of a prompt into chunks of two or more tokens', {
    timeout: 120_000,
  }, async () => {
    const tokenIds = prompt(9, 60);
    const whole = await prefillInChunks(runner, 0, tokenIds, 60);
    await runner.decode(1, Int32Array.of(7), Int32Array.of(60));
    const afterWhole = logitsRow(runner);
    const differing: Record<string, number> = {};
    for (const chunks of [
      [2, 58],
      [58, 2],
      [16, 44],
      [20, 10, 30],
      [3, 5, 7, 45],
      [31, 29],
      [33, 27],
      [2, 2, 2, 54],
    ]) {
      const split = differingValues(await prefillInChunks(runner, 0, tokenIds, chunks), whole);
      await runner.decode(1, Int32Array.of(7), Int32Array.of(60));
      differing[chunks.join(' + ')] = split + differingValues(logitsRow(runner), afterWhole);
    }
    expect(Object.entries(differing).filter(([, values]) => values > 0)).toEqual([]);
  });

  it('gives the same bits for prompts just above a multiple of the attention tiles', { timeout: 120_000 }, async () => {
    const differing: Record<string, number> = {};
    for (const length of [65, 129, 257, 385]) {
      const tokenIds = prompt(11, length);
      const whole = await prefillInChunks(runner, 0, tokenIds, length);
      for (const chunk of [33, 64, 97, 128, 129])
        differing[`${length} by ${chunk}`] = differingValues(await prefillInChunks(runner, 1, tokenIds, chunk), whole);
    }
    expect(Object.entries(differing).filter(([, values]) => values > 0)).toEqual([]);
  });
});

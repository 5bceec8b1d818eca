import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModelRunner } from '#model-runner';
import { fixtureModel } from './fixture-models.ts';
import { writeHalfPrecision } from './half-precision.ts';
import { bestToken, differingValues, largestDifference, logitsRow, prefillInChunks } from './runner-driver.ts';

const SLOT_TOKENS = 256;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'half-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(['tiny-llama', 'tiny-qwen3', 'tiny-mha'] as const)('%s in float16', (name) => {
  const fixture = fixtureModel(name);
  const open = (modelFile: string, change: { binding?: 'c-api' | 'js-api'; kvMemory?: 'device' } = {}) =>
    openModelRunner({
      modelFile,
      slots: 3,
      slotTokens: SLOT_TOKENS,
      threads: 2,
      maxChunkTokens: 64,
      binding: 'c-api',
      ...change,
    });

  it('chooses at least 99 % of the tokens that float32 chooses, given the same text', async () => {
    const halfFile = join(folder, `${name}.onnx`);
    writeHalfPrecision(fixture.modelFile, halfFile);
    const half = await open(halfFile);
    const whole = await open(fixture.modelFile);
    expect(half.description).toMatchObject({ kvType: 'float16', kvBytes: whole.description.kvBytes / 2 });
    let [same, all, worst] = [0, 0, 0];
    for (const { promptIds, generatedIds } of fixture.prompts.filter((prompt) => prompt.promptIds.length < 150)) {
      const expected = await prefillInChunks(whole, 0, promptIds, 64);
      worst = Math.max(worst, largestDifference(await prefillInChunks(half, 0, promptIds, 64), expected));
      for (const [i, token] of generatedIds.slice(0, 24).entries()) {
        const past = Int32Array.of(promptIds.length + i);
        await half.decode(1, Int32Array.of(token), past);
        await whole.decode(1, Int32Array.of(token), past);
        if (bestToken(logitsRow(half)) === bestToken(logitsRow(whole))) same += 1;
        all += 1;
      }
    }
    expect(all).toBeGreaterThan(300);
    expect(same / all).toBeGreaterThanOrEqual(0.99);
    expect(worst).toBeLessThan(0.2);
    await half.close();
    await whole.close();
  });

  it('gives the same bits in any batch, in host and in device memory; the JS API is refused', async () => {
    const halfFile = join(folder, `${name}.onnx`);
    writeHalfPrecision(fixture.modelFile, halfFile);
    const { promptIds } = fixture.prompts.find((prompt) => prompt.promptIds.length > 30)!;
    const rows: Float32Array[] = [];
    for (const change of [{}, { kvMemory: 'device' }] as const) {
      const runner = await open(halfFile, change);
      for (const slot of [0, 1, 2]) await prefillInChunks(runner, slot, promptIds, slot === 1 ? 7 : 64);
      await runner.decode(3, Int32Array.of(5, 5, 5), new Int32Array(3).fill(promptIds.length));
      rows.push(logitsRow(runner, 0), logitsRow(runner, 2));
      await runner.close();
    }
    await expect(open(halfFile, { binding: 'js-api' })).rejects.toThrow(/half precision.*choose c-api/);
    for (const row of rows) expect(differingValues(row, rows[0]!)).toBe(0);
  });
});

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ModelRunner } from '#contracts';
import { openModelRunner, productsHere } from '#model-runner';
import { exportedModel } from './exported-model.ts';
import { fixtureModel } from './fixture-models.ts';
import { differingValues, logitsRow } from './runner-driver.ts';

const OURS = productsHere().startsWith('our own library');
const SHIPPED = fileURLToPath(new URL('../../models/smollm2-135m-instruct/model.onnx', import.meta.url));
const TOKENS = 150;
const VERIFIED = 9;

const INVARIANT: readonly (readonly [string, string])[] = [
  ['the shipped model', SHIPPED],
  ['tiny-llama', fixtureModel('tiny-llama').modelFile],
  ['tiny-qwen3, of one head of keys', fixtureModel('tiny-qwen3').modelFile],
  ...[
    'gemma2-builder-fp32',
    'gemma3-builder-int4',
    'lfm2-builder-int4',
    'lfm2-community/onnx',
    'qwen3.5-builder-int4',
    'llama-builder-int8',
    'mistral-window-builder-fp32',
    'phi3-builder-fp32',
    'phi4-mini-builder-int4',
    'qwen2-builder-int4',
  ].map((name) => [name, exportedModel(`${name}/model.onnx`)] as const),
];

const open = (modelFile: string, more: Partial<Parameters<typeof openModelRunner>[0]> = {}) =>
  openModelRunner({
    ...{ modelFile, slots: 3, slotTokens: 256, threads: 2, binding: 'c-api', maxChunkTokens: 256 },
    ...{ verifyTokens: VERIFIED, verifyInvariantly: true },
    ...more,
  });

const token = (i: number) => (i * 37 + 5) % 300;
const PROMPT = Int32Array.from({ length: TOKENS }, (_, i) => token(i));

/** The prompt's tokens from `from` on, in decode runs of slots 0 to rows − 1, which all hold what is before. */
async function decodeRest(runner: ModelRunner, from: number, rows: number): Promise<void> {
  for (let slot = 1; slot < rows; slot++) runner.copySlot(0, slot, from);
  for (let at = from; at < TOKENS; at++)
    await runner.decode(rows, new Int32Array(rows).fill(token(at)), new Int32Array(rows).fill(at));
}

describe.runIf(OURS)('a token has the same bits in whatever run it is computed', () => {
  it.each(INVARIANT)('%s', async (_, modelFile) => {
    const runner = await open(modelFile);
    expect(runner.description).toMatchObject({ runInvariant: true, ownAttention: runner.shape.layers, fallbacks: [] });
    await runner.prefill(0, PROMPT, 0);
    const whole = logitsRow(runner);
    const differing: Record<string, number> = {};
    const compare = (way: string, row = 0) => {
      differing[way] = differingValues(logitsRow(runner, row), whole);
    };
    for (const from of [0, 64, 101, TOKENS - 1]) {
      if (from > 0) await runner.prefill(0, PROMPT.subarray(0, from), 0);
      await decodeRest(runner, from, 1);
      compare(`decode runs from ${from} on`);
    }
    await runner.prefill(0, PROMPT.subarray(0, 120), 0);
    await decodeRest(runner, 120, 3);
    for (let row = 0; row < 3; row++) compare(`row ${row} of three`, row);
    for (const chunk of [1, 5, 47, 64]) {
      for (let from = 0; from < TOKENS; from += chunk)
        await runner.prefill(0, PROMPT.subarray(from, Math.min(TOKENS, from + chunk)), from);
      compare(`chunks of ${chunk}`);
    }
    // States can not go back before tokens that turn out to be others.
    expect(runner.verification === null).toBe(runner.description.stateBytes > 0);
    await runner.prefill(0, PROMPT.subarray(0, TOKENS - VERIFIED), 0);
    if (runner.verification != null) {
      await runner.verification.run(0, PROMPT.subarray(TOKENS - VERIFIED), TOKENS - VERIFIED);
      compare('verification', VERIFIED - 1);
    }
    expect(Object.entries(differing).filter(([, values]) => values > 0)).toEqual([]);
    expect(Object.keys(differing).length).toBe(runner.verification === null ? 11 : 12);
    await runner.close();
  });

  it.each(['float16', 'int8'] as const)('with keys and values as %s', async (kvType) => {
    const runner = await open(SHIPPED, { kvType });
    expect(runner.description).toMatchObject({ kvType, runInvariant: true, ownAttention: 30 });
    await runner.prefill(0, PROMPT, 0);
    const whole = logitsRow(runner);
    await runner.prefill(0, PROMPT.subarray(0, 1), 0);
    await runner.prefill(0, PROMPT.subarray(1, 120), 1);
    await decodeRest(runner, 120, 3);
    expect([0, 1, 2].map((row) => differingValues(logitsRow(runner, row), whole))).toEqual([0, 0, 0]);
    await runner.close();
  });

  it('in parts of some layers each', async () => {
    const runner = await open(SHIPPED, { prefillParts: 4 });
    expect(runner.description).toMatchObject({ runInvariant: true, ownAttention: 30 });
    await runner.prefill(0, PROMPT, 0);
    const whole = logitsRow(runner);
    await runner.prefill(0, PROMPT.subarray(0, 140), 0);
    await decodeRest(runner, 140, 2);
    expect(differingValues(logitsRow(runner, 1), whole)).toBe(0);
    await runner.close();
  });
});

it.each([
  ['experts, which mix rows', exportedModel('gpt-oss-builder-int4/model.onnx')],
  ['half precision', exportedModel('llama-builder-fp16/model.onnx')],
  ['a cache that is copied', fixtureModel('tiny-mha').modelFile],
])('%s: says that it does not, and verifies nothing unless it is told to', async (_, modelFile) => {
  const quiet = await open(modelFile);
  expect(quiet.description.runInvariant).toBe(false);
  expect(quiet.verification).toBeNull();
  expect(quiet.description.fallbacks.filter((reason) => reason.includes('verified'))).toEqual([]);
  await quiet.close();
});

it("says that it does not with ONNX Runtime's kernels", async () => {
  const runner = await open(SHIPPED, { products: 'onnxruntime' });
  expect(runner.description).toMatchObject({ runInvariant: false, ownAttention: 0 });
  expect(runner.verification).toBeNull();
  await runner.close();
});

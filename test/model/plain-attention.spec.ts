import { expect, it } from 'vitest';
import { inspectModel, openModelRunner } from '#model-runner';
import { CApiSession } from '../../libs/model-runner/src/binding/c-api-session.ts';
import { changedModel } from '../../libs/model-runner/src/edits/changed-model.ts';
import { modelForProvider } from '../../libs/model-runner/src/model-for-provider.ts';
import { DeviceKvCache } from '../../libs/model-runner/src/runners/device-kv-cache.ts';
import { InPlaceRunner } from '../../libs/model-runner/src/runners/in-place-runner.ts';
import { exportedModel } from './exported-model.ts';
import { fixtureModel } from './fixture-models.ts';
import { generateAlone, largestDifference, logitsRow, prefillInChunks } from './runner-driver.ts';

const SIZE = { slots: 3, parkingSlots: 0, slotTokens: 192, maxChunkTokens: 64 };

/** The model as CUDA gets it, on the CPU with its allocator. */
async function openAsForCuda(modelFile: string): Promise<InPlaceRunner> {
  const signature = await inspectModel(modelFile);
  const { model, problem } = modelForProvider(await changedModel(modelFile, signature.edits), signature, 'cuda');
  expect(problem).toBeNull();
  const { sideInputs, cache } = signature;
  const session = new CApiSession({
    model,
    provider: 'cpu',
    inputNames: ['input_ids', ...sideInputs.map(({ kind }) => kind), ...cache.map(({ past }) => past)],
    outputNames: ['logits', ...cache.map(({ present }) => present)],
    threads: 1,
    spinUs: 0,
  });
  expect(session.plainAttention).toBe(true);
  const size = { ...SIZE, maxRunTokens: Number.POSITIVE_INFINITY, keepsLogits: true };
  return new InPlaceRunner(session, signature, new DeviceKvCache(session, session.device, signature, SIZE), size);
}

it.each(['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'])('%s gives the tokens of transformers', async (name) => {
  const fixture = fixtureModel(name);
  const runner = await openAsForCuda(fixture.modelFile);
  for (const { promptIds, generatedIds } of fixture.prompts.filter((each) => each.promptIds.length < 100).slice(0, 4)) {
    const { tokens } = await generateAlone(runner, promptIds, 24, 20);
    expect(tokens).toEqual(generatedIds.slice(0, 24));
  }
  await runner.close();
});

it.each([
  'test/fixtures/models/tiny-qwen3',
  'llama-builder-fp32',
  'qwen3-builder-fp32',
  'phi3-builder-fp32',
  'mistral-window-builder-fp32',
  'gemma2-builder-fp32',
  'gemma3-builder-fp32',
])('%s computes what GroupQueryAttention does, for chunks of prompts and ragged rows', async (name) => {
  const modelFile = name.includes('/') ? fixtureModel('tiny-qwen3').modelFile : exportedModel(`${name}/model.onnx`);
  const plain = await openAsForCuda(modelFile);
  const attention = { binding: 'c-api', products: 'onnxruntime', kvMemory: 'device', threads: 1 } as const;
  const operator = await openModelRunner({ ...SIZE, ...attention, modelFile });
  const prompt = (length: number) => Array.from({ length }, (_, i) => (i * 37 + length) % 250);
  let largest = 0;
  const lengths = [3, 150, 40];
  for (const [slot, length] of lengths.entries())
    largest = Math.max(
      largest,
      largestDifference(
        await prefillInChunks(plain, slot, prompt(length), 33),
        await prefillInChunks(operator, slot, prompt(length), 33),
      ),
    );
  const pasts = Int32Array.from(lengths);
  for (const rows of [3, 1, 2, 3]) {
    for (const runner of [plain, operator]) await runner.decode(rows, Int32Array.of(7, 8, 9), pasts);
    for (let row = 0; row < rows; row++) {
      largest = Math.max(largest, largestDifference(logitsRow(plain, row), logitsRow(operator, row)));
      pasts[row]! += 1;
    }
  }
  const spread = Math.max(...logitsRow(operator, 0).map(Math.abs));
  expect(spread).toBeGreaterThan(0.01);
  expect(largest / spread).toBeLessThan(1e-4);
  await plain.close();
  await operator.close();
});

it('leaves what it can not make of them to the CPU and says so; half precision stays as it is', async () => {
  const sinks = exportedModel('gpt-oss-builder-fp32/model.onnx');
  const signature = await inspectModel(sinks);
  const model = await changedModel(sinks, signature.edits);
  expect(modelForProvider(model, signature, 'cuda')).toEqual({
    model,
    problem: expect.stringMatching(/on the CPU.* has no kernel for float32, and its attention has sinks.* float16$/),
  });
  expect(modelForProvider(model, signature, 'webgpu')).toEqual({ model, problem: null });
  const half = exportedModel('llama-builder-fp16/model.onnx');
  const halfSignature = await inspectModel(half);
  const halfModel = await changedModel(half, halfSignature.edits);
  expect(modelForProvider(halfModel, halfSignature, 'cuda')).toEqual({ model: halfModel, problem: null });
});

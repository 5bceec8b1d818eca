import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelLoadError, type OpenModelRunnerOptions, openModelRunner } from '#model-runner';
import { fixtureModel } from './fixture-models.ts';

const { modelFile } = fixtureModel('tiny-qwen2');
const OPTIONS = { modelFile, slots: 2, slotTokens: 64, threads: 0, binding: 'auto', maxChunkTokens: 16 } as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'open-model-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

it('takes the C API and the in-place cache where they work, without a fallback', async () => {
  const fallbacks: string[] = [];
  const runner = await openModelRunner({ ...OPTIONS, onFallback: (reason) => fallbacks.push(reason) });
  expect(runner.description).toMatchObject({ provider: 'cpu', binding: 'c-api', kvCache: 'in-place' });
  expect(fallbacks).toEqual([]);
  await runner.close();
});

it('works with one slot', async () => {
  const runner = await openModelRunner({ ...OPTIONS, slots: 1 });
  await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
  await runner.decode(1, Int32Array.of(4), Int32Array.of(3));
  expect(runner.logits.length).toBe(384);
  await runner.close();
});

it.each(['c-api', 'js-api'] as const)('says through %s why ONNX Runtime refuses a model', async (binding) => {
  const broken = join(folder, 'model.onnx');
  const model = onnxProto.onnx.ModelProto.decode(await readFile(modelFile));
  model.graph!.node!.find((node) => node.opType === 'GroupQueryAttention')!.opType = 'NewerAttention';
  await writeFile(broken, onnxProto.onnx.ModelProto.encode(model).finish());
  const opening = openModelRunner({ ...OPTIONS, modelFile: broken, binding });
  await expect(opening).rejects.toBeInstanceOf(ModelLoadError);
  await expect(opening).rejects.toThrow(/model.onnx.*refuses it.*NewerAttention/s);
});

it('refuses slots longer than the model knows positions, and sizes that are none', async () => {
  const open = (change: Partial<OpenModelRunnerOptions>) => openModelRunner({ ...OPTIONS, ...change });
  await expect(open({ slotTokens: 513 })).rejects.toThrow(/slots of 513 tokens.*knows 512 positions/);
  await expect(open({ slots: 0 })).rejects.toThrow(/slots is 0/);
  await expect(open({ slotTokens: 1.5 })).rejects.toThrow(/slotTokens is 1.5/);
});

it('says that a cut-off file is broken', async () => {
  const cut = join(folder, 'cut.onnx');
  await copyFile(modelFile, cut);
  await writeFile(cut, (await readFile(cut)).subarray(0, 300_000));
  await expect(openModelRunner({ ...OPTIONS, modelFile: cut })).rejects.toThrow(/cut.onnx.*not a whole ONNX file/);
});

import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kvBytesOfToken } from '#contracts';
import {
  inspectModel,
  ModelLoadError,
  type OpenModelRunnerOptions,
  openModelRunner,
  productsHere,
} from '#model-runner';
import { exportedModel } from './exported-model.ts';
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

it.runIf(productsHere().startsWith('our own library'))(
  'keeps keys and values as it is asked to where attention is our own, and tells their bytes beforehand',
  async () => {
    const slots = { slots: 3, slotTokens: 50 };
    for (const kvType of ['float32', 'float16', 'int8', 'auto'] as const) {
      const runner = await openModelRunner({ ...OPTIONS, ...slots, kvType });
      const kept = kvType === 'auto' ? 'float32' : kvType;
      expect(runner.description).toMatchObject({ kvType: kept, fallbacks: [] });
      const signature = await inspectModel(modelFile, { kvType });
      expect(signature.ownCache).toBe(kept);
      const tokenBytes = kvBytesOfToken(signature, kept);
      const { layers, kvHeads, headSize } = runner.shape;
      expect(tokenBytes).toBe(
        2 * layers * kvHeads * { float32: 4 * headSize, float16: 2 * headSize, int8: headSize + 4 }[kept],
      );
      expect(runner.description.kvBytes).toBe(3 * 64 * tokenBytes); // of whole tiles
      await runner.close();
    }
  },
);

it('refuses to keep keys and values as what its attention can not, naming the remedy', async () => {
  const refused = (more: Partial<OpenModelRunnerOptions>) =>
    expect(openModelRunner({ ...OPTIONS, kvType: 'int8', ...more })).rejects;
  const message =
    /keys and values are asked for as int8 \(MILLRACE_KV_TYPE\), but its attention keeps them as float\d\d; leave it at auto/;
  await refused({ products: 'onnxruntime' }).toThrow(message);
  await refused({ binding: 'js-api' }).toThrow(message);
  await refused({ kvMemory: 'device', binding: 'c-api' }).toThrow(message);
  await refused({ kvMemory: 'device', binding: 'c-api', capturedRows: 2 }).toThrow(message);
  await refused({ modelFile: exportedModel('llama-builder-fp16/model.onnx') }).toThrow(message);
  await refused({ modelFile: fixtureModel('tiny-mha').modelFile }).toThrow(message);
  await (await openModelRunner({ ...OPTIONS, kvType: 'float32', products: 'onnxruntime' })).close();
});

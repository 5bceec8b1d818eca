import { fileURLToPath } from 'node:url';
import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { changedModel } from '../edits/changed-model.ts';
import { capturable } from './capturable.ts';
import { inspectModel } from './inspect-model.ts';

const fixture = (name: string) =>
  inspectModel(fileURLToPath(new URL(`../../../../test/fixtures/${name}`, import.meta.url)));

describe('the form of a model whose decode runs can be captured', () => {
  it('is the model itself where no length on the device meets a shape on the host', async () => {
    const signature = await fixture('models/tiny-llama/model.onnx');
    expect(capturable(signature, 256)).toBe(signature);
  });

  it('takes the last position of folders that we make without looking at lengths', async () => {
    const signature = await fixture('models/tiny-qwen2/model.onnx');
    const form = capturable(signature, 256);
    if (typeof form === 'string') throw new Error(form);
    expect(form.edits.map(({ kind }) => kind)).toEqual(['lengths', 'sliced-positions']);
    expect(form.edits.at(-1)).toMatchObject({ outputs: [expect.any(String), expect.any(String)] });
    expect(form.sideInputs).toEqual(signature.sideInputs);
  });

  it.each([
    'models/tiny-llama',
    'models/tiny-qwen2',
    'exports/llama-builder-fp16-dml',
    'exports/llama-builder-int4-fp16',
  ])('has no shape that is computed on the host, and lengths that attention alone reads: %s', async (name) => {
    const signature = await fixture(`${name}/model.onnx`);
    const form = capturable(signature, 256);
    if (typeof form === 'string') throw new Error(form);
    const { graph } = onnxProto.onnx.ModelProto.decode((await changedModel(signature.modelFile, form.edits)).bytes);
    const nodes = graph?.node ?? [];
    expect(nodes.filter(({ opType }) => opType === 'Shape')).toEqual([]);
    const readers = (value: string): string[] =>
      nodes
        .filter(({ input }) => input?.includes(value))
        .flatMap(({ opType, output }) => (opType === 'Identity' ? readers(output?.[0] ?? '') : [opType ?? '']));
    for (const length of ['seqlens_k', 'total_sequence_length'])
      expect(new Set(readers(length))).toEqual(new Set(['GroupQueryAttention']));
  });

  it('says why there is none, and what helps', async () => {
    const signature = await fixture('models/tiny-llama/model.onnx');
    expect(capturable({ ...signature, sharesCache: false }, 256)).toMatch(/its cache grows.*export it with GroupQuery/);
    expect(capturable({ ...signature, rowsRunAlone: true }, 256)).toMatch(/experts.*a run for each row/);
    const masked = { ...signature, sideInputs: [{ kind: 'attention_mask' } as const] };
    expect(capturable(masked, 256)).toMatch(/mask is an input.*export it by onnxruntime-genai/);
    expect(capturable(await fixture('exports/lfm2-builder-int4/model.onnx'), 256)).toMatch(/keep a state.*CPU only/);
    expect(capturable(signature, 1)).toMatch(/no room for a second token/);
  });
});

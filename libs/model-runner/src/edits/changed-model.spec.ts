import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { changedModel } from './changed-model.ts';
import type { GraphEdit } from './graph-edit.ts';

const { ModelProto } = onnxProto.onnx;
const INT = 2;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'changed-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

const attention = (layer: number, window: number) => ({
  opType: 'GroupQueryAttention',
  input: ['q', '', '', `past_key_values.${layer}.key`],
  attribute: [
    { name: 'local_window_size', i: window, type: INT },
    { name: 'sliding_window_cache', i: 1, type: INT },
  ],
});

async function change(...edits: GraphEdit[]) {
  const file = join(folder, 'model.onnx');
  const model = ModelProto.fromObject({
    irVersion: 10,
    producerName: 'a tool',
    graph: {
      name: 'g',
      node: [
        { opType: 'If', input: ['long'], output: ['cos', 'sin'] },
        attention(0, -1),
        attention(1, 24),
        { opType: 'MatMul', input: ['a', 'b'], output: ['logits'] },
        {
          opType: 'GatherND',
          input: ['attended', 'last_index'],
          output: ['kept'],
          attribute: [{ name: 'batch_dims', i: 1, type: INT }],
        },
      ],
      input: [{ name: 'past_key_values.0.key' }, { name: 'use_cache_branch' }],
      output: [
        {
          name: 'logits',
          type: { tensorType: { elemType: 1, shape: { dim: [{}, { dimValue: 1 }, { dimParam: 'vocabulary' }] } } },
        },
      ],
      initializer: [{ name: 'w', dims: [200], dataType: 1, rawData: new Uint8Array(800).fill(7) }],
    },
  });
  await writeFile(file, Buffer.concat([ModelProto.encode(model).finish(), Uint8Array.of(0xfa, 0x3f, 1, 9)])); // field 1023
  const { bytes } = await changedModel(file, edits);
  return { before: model, bytes, after: ModelProto.decode(bytes) };
}

const integers = (model: Awaited<ReturnType<typeof change>>['after']) =>
  (model.graph?.node ?? []).map(({ attribute }) =>
    Object.fromEntries((attribute ?? []).map(({ name, i }) => [name, Number(i)])),
  );

it('keeps the whole past of ring layers, and their windows', async () => {
  const { after } = await change({ kind: 'whole-cache' });
  expect(integers(after)).toEqual([
    {},
    { local_window_size: -1, sliding_window_cache: 0 },
    { local_window_size: 24, sliding_window_cache: 0 },
    {},
    { batch_dims: 1 },
  ]);
});

it('gives attention a window in all layers or in some', async () => {
  const all = await change({ kind: 'window', tokens: 8, layers: null });
  expect(integers(all.after).slice(1, 3)).toMatchObject([{ local_window_size: 8 }, { local_window_size: 8 }]);
  const second = await change({ kind: 'window', tokens: 8, layers: [1] });
  expect(integers(second.after).slice(1, 3)).toMatchObject([{ local_window_size: -1 }, { local_window_size: 8 }]);
});

it('makes the condition between two rotary tables a constant', async () => {
  const { after } = await change({ kind: 'rotary-table', output: 'cos', condition: true });
  expect(after.graph?.node?.[0]?.input).toEqual(['millrace.true']);
  expect(after.graph?.initializer?.at(-1)).toMatchObject({ name: 'millrace.true', dims: [], rawData: Buffer.of(1) });
});

it('gives readers the last position of values only', async () => {
  const { after } = await change({ kind: 'last-position', values: ['a'], readers: ['logits'] });
  const nodes = after.graph?.node ?? [];
  expect(nodes.slice(3, 5)).toMatchObject([
    { opType: 'Slice', input: ['a', 'millrace.last', 'millrace.end', 'millrace.sequence_axis'] },
    { opType: 'MatMul', input: [nodes[3]?.output?.[0], 'b'], output: ['logits'] },
  ]);
  const integers = (after.graph?.initializer ?? [])
    .slice(1)
    .map(({ rawData }) => Buffer.from(rawData ?? []).readBigInt64LE());
  expect(integers).toEqual([-1n, 2n ** 63n - 1n, 1n]);
});

it('gives readers as many last positions as a run asks for', async () => {
  const { after } = await change({ kind: 'last-position', values: ['a'], readers: ['logits'], counted: true });
  const [first, , , , slice, product] = after.graph?.node ?? [];
  expect(first).toMatchObject({ opType: 'Neg', input: ['num_logits_to_keep'], output: ['millrace.last'] });
  expect(slice?.input).toEqual(['a', 'millrace.last', 'millrace.end', 'millrace.sequence_axis']);
  expect(product).toMatchObject({ opType: 'MatMul', input: [slice?.output?.[0], 'b'], output: ['logits'] });
  expect(after.graph?.input?.map(({ name }) => name)).toContain('num_logits_to_keep');
  const names = (after.graph?.initializer ?? []).map(({ name }) => name);
  expect(names).toEqual(['w', 'millrace.end', 'millrace.sequence_axis']);
});

it('lets a graph that leaves the last position leave as many as a run asks for', async () => {
  const { before, after } = await change({ kind: 'sliced-positions', outputs: ['kept'], between: [], counted: true });
  const gathered = (after.graph?.node ?? []).find(({ output }) => output?.[0] === 'kept');
  expect(before.graph?.node?.[4]).toMatchObject({ opType: 'GatherND', input: ['attended', 'last_index'] });
  expect(gathered).toMatchObject({
    opType: 'Slice',
    input: ['attended', 'millrace.last', 'millrace.end', 'millrace.sequence_axis'],
    attribute: [],
  });
  const [logits] = after.graph?.output ?? [];
  expect(logits?.type?.tensorType?.shape?.dim?.[1]).toMatchObject({ dimParam: 'num_logits_to_keep' });
  expect(logits?.type?.tensorType?.shape?.dim?.[2]).toMatchObject({ dimParam: 'vocabulary' });
});

it('takes the last position of all in the place of one by a length, and leaves out what made that', async () => {
  const { after } = await change({ kind: 'sliced-positions', outputs: ['kept'], between: ['cos'] });
  const nodes = after.graph?.node ?? [];
  expect(nodes.map(({ opType }) => opType)).toEqual(['GroupQueryAttention', 'GroupQueryAttention', 'MatMul', 'Slice']);
  expect(nodes[3]?.input).toEqual(['attended', 'millrace.last', 'millrace.end', 'millrace.sequence_axis']);
  const last = after.graph?.initializer?.find(({ name }) => name === 'millrace.last');
  expect(Uint8Array.from(last?.rawData ?? [])).toEqual(new Uint8Array(BigInt64Array.of(-1n).buffer));
  expect(after.graph?.input?.map(({ name }) => name)).not.toContain('num_logits_to_keep');
});

it('computes which branch of a merged decoder is wanted', async () => {
  const { after } = await change({ kind: 'cache-branch', past: 'past_key_values.0.key' });
  expect(after.graph?.input?.map(({ name }) => name)).toEqual(['past_key_values.0.key']);
  const [shape, slice, greater] = after.graph?.node ?? [];
  expect(shape).toMatchObject({ opType: 'Shape', input: ['past_key_values.0.key'] });
  expect(slice).toMatchObject({ input: [shape?.output?.[0], 'millrace.tokens_axis', 'millrace.tokens_end'] });
  expect(greater).toMatchObject({
    opType: 'Greater',
    input: [slice?.output?.[0], 'millrace.zero'],
    output: ['use_cache_branch'],
  });
});

it('takes lengths in the place of a mask, under the names that its nodes read', async () => {
  const { after } = await change({
    kind: 'lengths',
    seqlensK: 'logits',
    total: 'total_sequence_length',
    rank: 1,
    longTotal: 'cos',
    between: ['sin'],
  });
  const nodes = after.graph?.node ?? [];
  expect(nodes[0]).toMatchObject({ opType: 'Cast', input: ['total_sequence_length'], output: ['cos'] });
  expect(nodes[3]).toMatchObject({ opType: 'Identity', input: ['seqlens_k'], output: ['logits'] });
  const inputs = after.graph?.input?.slice(-2).map(({ name, type }) => ({
    name,
    elemType: type?.tensorType?.elemType,
    rank: type?.tensorType?.shape?.dim?.length,
  }));
  expect(inputs).toEqual([
    { name: 'seqlens_k', elemType: 6, rank: 1 },
    { name: 'total_sequence_length', elemType: 6, rank: 1 },
  ]);
});

it('copies everything else byte by byte, fields that it does not know among them', async () => {
  const { before, after, bytes } = await change({ kind: 'whole-cache' });
  expect(after).toMatchObject({ producerName: 'a tool' });
  expect(after.graph?.node?.[3]).toEqual(before.graph?.node?.[3]);
  expect(Buffer.from(after.graph?.initializer?.[0]?.rawData ?? [])).toEqual(Buffer.alloc(800, 7));
  expect(Buffer.from(bytes).subarray(-4)).toEqual(Buffer.of(0xfa, 0x3f, 1, 9));
});

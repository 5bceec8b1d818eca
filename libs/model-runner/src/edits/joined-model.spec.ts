import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto, { type onnx } from 'onnx-proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelLoadError } from '../model-load-error.ts';
import { joinedModel } from './joined-model.ts';

const { ModelProto } = onnxProto.onnx;
const FLOAT32 = 1;
const INT64 = 7;
const FLOAT16 = 10;
const GRAPH = 5;

type Value = readonly [name: string, elementType: number, dims: readonly (number | string)[]];
interface Parts {
  readonly inputs?: readonly Value[];
  readonly outputs?: readonly Value[];
  readonly node?: object[];
  readonly initializer?: object[];
  readonly opset?: number;
  readonly irVersion?: number;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'joined-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Some exporters say where the bytes of a tensor are when they are inside, too. */
const TABLE = {
  ...{ name: 'table', dims: [16, 32], dataType: FLOAT32, dataLocation: 0 },
  rawData: new Uint8Array(16 * 32 * 4).fill(7),
};
const EMBEDDING: Required<Parts> = {
  inputs: [['input_ids', INT64, ['batch', 'sequence']]],
  outputs: [['inputs_embeds', FLOAT32, ['batch', 'sequence', 32]]],
  node: [{ opType: 'Gather', input: ['table', 'input_ids'], output: ['inputs_embeds'] }],
  initializer: [TABLE],
  opset: 18,
  irVersion: 8,
};
const DECODER: Required<Parts> = {
  inputs: [
    ['inputs_embeds', FLOAT32, ['batch', 'sequence', 32]],
    ['attention_mask', INT64, ['batch', 'total']],
  ],
  outputs: [['logits', FLOAT32, ['batch', 'sequence', 8]]],
  node: [{ opType: 'MatMul', input: ['inputs_embeds', 'head'], output: ['logits'] }],
  initializer: [
    { name: 'head', dims: [32, 8], dataType: FLOAT32, rawData: new Uint8Array(32 * 8 * 4).fill(9) },
    { name: 'axis', dims: [1], dataType: INT64, rawData: new Uint8Array(8) },
  ],
  opset: 18,
  irVersion: 10,
};

async function write(name: string, { inputs, outputs, node, initializer, opset, irVersion }: Required<Parts>) {
  const value = ([name, elemType, dims]: Value) => {
    const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
    return { name, type: { tensorType: { elemType, shape: { dim } } } };
  };
  const graph = { name, node, initializer, input: inputs.map(value), output: outputs.map(value) };
  const model = ModelProto.fromObject({ irVersion, opsetImport: [{ domain: '', version: opset }], graph });
  const file = join(folder, name);
  await writeFile(file, ModelProto.encode(model).finish());
  return file;
}

async function joined(embedding: Parts = {}, decoder: Parts = {}) {
  const embeddingFile = await write('embed_tokens.onnx', { ...EMBEDDING, ...embedding });
  const decoderFile = await write('decoder.onnx', { ...DECODER, ...decoder });
  const model = ModelProto.decode(await joinedModel(decoderFile, embeddingFile));
  return { model, graph: model.graph as onnx.GraphProto };
}

const nodes = ({ node }: onnx.IGraphProto) =>
  (node ?? []).map(({ opType, input, output }) => `${opType}(${input?.join()})=${output?.join()}`);
const names = (values: readonly { name?: string | null }[]) => values.map(({ name }) => name);

it('puts the embedding in front of the decoder, and leaves weights where they are', async () => {
  const { model, graph } = await joined();
  expect(nodes(graph)).toEqual(['Gather(table,input_ids)=inputs_embeds', 'MatMul(inputs_embeds,head)=logits']);
  expect(names(graph.input)).toEqual(['input_ids', 'attention_mask']);
  expect(names(graph.output)).toEqual(['logits']);
  expect([Number(model.irVersion), model.opsetImport.length]).toEqual([10, 1]);
  for (const [name, file, byte] of [
    ['table', 'embed_tokens.onnx', 7],
    ['head', 'decoder.onnx', 9],
  ] as const) {
    const tensor = graph.initializer.find((one) => one.name === name)!;
    const place = Object.fromEntries(tensor.externalData!.map(({ key, value }) => [key, value]));
    expect([tensor.dataLocation, tensor.rawData?.length ?? 0, place.location]).toEqual([1, 0, file]);
    const bytes = await readFile(join(folder, file));
    const [offset, length] = [Number(place.offset), Number(place.length)];
    expect(new Set(bytes.subarray(offset, offset + length))).toEqual(new Set([byte]));
    expect(bytes.subarray(offset - 1, offset + length + 1).filter((other) => other === byte)).toHaveLength(length);
  }
  expect(graph.initializer.find(({ name }) => name === 'axis')?.rawData).toHaveLength(8);
});

it('gives values of the embedding that the decoder has a name for another one, in branches too', async () => {
  const inner = { name: 'b', node: [{ opType: 'Identity', input: ['table'], output: ['x'] }], output: [{ name: 'x' }] };
  const choice = {
    opType: 'If',
    input: ['c'],
    output: ['axis'],
    attribute: [{ name: 'then_branch', g: inner, type: GRAPH }],
  };
  const gather = { opType: 'Gather', input: ['axis', 'input_ids'], output: ['rows'] };
  const { graph } = await joined(
    {
      node: [choice, gather],
      initializer: [{ ...TABLE, name: 'table' }],
      outputs: [['rows', FLOAT32, ['batch', 'sequence', 32]]],
    },
    {
      initializer: [
        ...DECODER.initializer,
        { name: 'table', dims: [1], dataType: FLOAT32, rawData: new Uint8Array(4) },
      ],
    },
  );
  expect(nodes(graph)).toEqual([
    'If(c)=millrace.embedding.axis',
    'Gather(millrace.embedding.axis,input_ids)=inputs_embeds',
    'MatMul(inputs_embeds,head)=logits',
  ]);
  expect(graph.node[0]?.attribute?.[0]?.g?.node?.[0]?.input).toEqual(['millrace.embedding.table']);
  expect(names(graph.initializer).sort()).toEqual(['axis', 'head', 'millrace.embedding.table', 'table']);
});

it('casts between floats of different precision, and refuses what does not agree otherwise', async () => {
  const halves: Value = ['inputs_embeds', FLOAT16, ['batch', 'sequence', 32]];
  const { graph } = await joined({ outputs: [halves] });
  expect(nodes(graph).slice(0, 2)).toEqual([
    'Gather(table,input_ids)=millrace.embedding.inputs_embeds',
    'Cast(millrace.embedding.inputs_embeds)=inputs_embeds',
  ]);
  expect(Number(graph.node[1]?.attribute?.[0]?.i)).toBe(FLOAT32);
  const refused = (outputs: Value[]) => expect(joined({ outputs })).rejects;
  await refused([['inputs_embeds', FLOAT32, ['b', 's', 64]]]).toThrow(
    /embed_tokens\.onnx: output "inputs_embeds" is float32 \[b, s, 64\], but decoder\.onnx takes "inputs_embeds" as float32 \[batch, sequence, 32\]/,
  );
  await refused([['inputs_embeds', INT64, ['b', 's', 32]]]).toThrow(/is int64 .*take both files of the same export/);
  await refused([
    ['a', FLOAT32, ['b', 's', 32]],
    ['b', FLOAT32, ['b', 's', 32]],
  ]).toThrow(/it has no output "inputs_embeds" for decoder\.onnx, only a, b/);
});

it('joins several outputs by their names', async () => {
  const layers: Value = ['per_layer_inputs', FLOAT32, ['batch', 'sequence', 2, 32]];
  const gathers = [
    ...EMBEDDING.node,
    { opType: 'Gather', input: ['table', 'input_ids'], output: ['per_layer_inputs'] },
  ];
  const { graph } = await joined(
    { node: gathers, outputs: [...EMBEDDING.outputs, layers] },
    { inputs: [...DECODER.inputs, layers] },
  );
  expect(names(graph.input)).toEqual(['input_ids', 'attention_mask']);
});

it('takes operators that mean the same in both operator sets, and refuses others by name', async () => {
  expect((await joined({ opset: 13 }, { opset: 22 })).model.opsetImport[0]?.version?.toString()).toBe('22');
  const node = [
    { opType: 'Gather', input: ['table', 'input_ids'], output: ['rows'] },
    { opType: 'Gelu', input: ['rows'], output: ['inputs_embeds'] },
  ];
  await expect(joined({ opset: 20, node }, { opset: 22 })).rejects.toThrow(
    /version 20 of the operator set ai\.onnx, its decoder 22, and Gelu may differ between them; export both/,
  );
  await expect(joined({ opset: 11 })).rejects.toThrow(/and Gather may differ/);
});

it('leaves features of images out, whatever tokens there are, and refuses an embedding that needs them', async () => {
  const features: Value = ['image_features', FLOAT32, ['images', 32]];
  const inputs = [...EMBEDDING.inputs, features];
  const gather = { opType: 'Gather', input: ['table', 'input_ids'], output: ['rows'] };
  const scatter = { opType: 'ScatterND', input: ['rows', 'places', 'flat'], output: ['inputs_embeds'] };
  const flatten = { opType: 'Reshape', input: ['image_features', 'axis'], output: ['flat'] };
  const scattered = await joined({ inputs, node: [gather, flatten, scatter] });
  expect(names(scattered.graph.input)).toEqual(['input_ids', 'attention_mask']);
  expect(nodes(scattered.graph).slice(0, 2)).toEqual(['Gather(table,input_ids)=rows', 'Identity(rows)=inputs_embeds']);
  const where = { opType: 'Where', input: ['is_image', 'image_features', 'rows'], output: ['inputs_embeds'] };
  expect(nodes((await joined({ inputs, node: [gather, where] })).graph)[1]).toBe('Identity(rows)=inputs_embeds');
  const sum = { opType: 'Add', input: ['rows', 'image_features'], output: ['inputs_embeds'] };
  await expect(joined({ inputs, node: [gather, sum] })).rejects.toThrow(
    /embed_tokens\.onnx: output "inputs_embeds" can not be had without image_features/,
  );
});

it('wants both files in one folder, and whole', async () => {
  const decoderFile = await write('decoder.onnx', DECODER);
  await mkdir(join(folder, 'other'));
  await expect(joinedModel(decoderFile, join(folder, 'other/embed_tokens.onnx'))).rejects.toThrow(
    /its decoder is in another folder, .*decoder\.onnx; put both in one/,
  );
  await writeFile(join(folder, 'cut.onnx'), (await readFile(decoderFile)).subarray(0, 300));
  await expect(joinedModel(decoderFile, join(folder, 'cut.onnx'))).rejects.toThrow(ModelLoadError);
  await expect(
    joinedModel(await write('plain.onnx', { ...DECODER, inputs: EMBEDDING.inputs }), decoderFile),
  ).rejects.toThrow(/plain\.onnx: it has no input "inputs_embeds" for what decoder\.onnx gives/);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelLoadError } from '../model-load-error.ts';
import { inspectModel } from './inspect-model.ts';

const FLOAT32 = 1;
const INT32 = 6;
const INT64 = 7;
const FLOAT16 = 10;
const BFLOAT16 = 16;

type Value = [name: string, elementType: number, dims: (number | string)[]];

const DECODER = {
  inputs: [
    ['input_ids', INT64, ['batch', 'sequence']],
    ['attention_mask', INT64, ['batch', 'total']],
    ['past_key_values.0.key', FLOAT32, ['batch', 2, 'past', 16]],
    ['past_key_values.0.value', FLOAT32, ['batch', 2, 'past', 16]],
  ] as Value[],
  outputs: [
    ['logits', FLOAT32, ['batch', 'sequence', 384]],
    ['present.0.key', FLOAT32, ['batch', 2, 'total', 16]],
    ['present.0.value', FLOAT32, ['batch', 2, 'total', 16]],
  ] as Value[],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inspect-model-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Writes a model of these inputs and outputs; `change` gives them by name, null takes one away. */
async function inspect(
  change: Record<string, Value | null> = {},
  graph: { node?: object[]; initializer?: object[] } = {},
) {
  const value = ([name, elemType, dims]: Value) => ({
    name,
    type: {
      tensorType: {
        elemType,
        shape: { dim: dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d })) },
      },
    },
  });
  const changed = (values: Value[]) =>
    values.flatMap((v) => (change[v[0]] === null ? [] : [change[v[0]] ?? v])).map(value);
  const extra = Object.entries(change).flatMap(([name, v]) => (v !== null && name === '+' ? [value(v)] : []));
  const modelFile = join(folder, 'model.onnx');
  const model = onnxProto.onnx.ModelProto.fromObject({
    irVersion: 8,
    graph: {
      name: 'g',
      node: graph.node ?? [{ opType: 'GroupQueryAttention', input: ['', '', '', '', '', '', '', 'cos'] }],
      initializer: graph.initializer ?? [{ name: 'cos', dims: [512, 8], dataType: FLOAT32 }],
      input: [...changed(DECODER.inputs), ...extra],
      output: changed(DECODER.outputs),
    },
  });
  await writeFile(modelFile, onnxProto.onnx.ModelProto.encode(model).finish());
  return inspectModel(modelFile);
}

it('reads sizes, inputs and the kind of cache from the graph', async () => {
  expect(await inspect()).toMatchObject({
    vocabularySize: 384,
    layers: 1,
    kvHeads: 2,
    headSize: 16,
    maxPositions: 512,
    sharesCache: true,
    sideInputs: [{ kind: 'attention_mask' }],
    cache: [
      { past: 'past_key_values.0.key', present: 'present.0.key' },
      { past: 'past_key_values.0.value', present: 'present.0.value' },
    ],
    logits: { positions: 'all', rank: 3 },
  });
});

it('takes keys and values of some layers only, and refuses half of a layer', async () => {
  const renamed = (part: string): Record<string, Value> => ({
    [`past_key_values.0.${part}`]: [`past_key_values.3.${part}`, FLOAT32, ['batch', 2, 'past', 16]],
    [`present.0.${part}`]: [`present.3.${part}`, FLOAT32, ['batch', 2, 'total', 16]],
  });
  const { layers, cache } = await inspect({ ...renamed('key'), ...renamed('value') });
  expect(layers).toBe(1);
  expect(cache.map(({ past }) => past)).toEqual(['past_key_values.3.key', 'past_key_values.3.value']);
  await expect(inspect(renamed('key'))).rejects.toThrow(/input "past_key_values.0.key" is missing/);
});

it('sees logits of the last position only, by their fixed sequence of 1 or their rank of 2', async () => {
  const three = await inspect({ logits: ['logits', FLOAT32, ['batch', 1, 384]] });
  expect(three.logits).toEqual({ positions: 'last', rank: 3, type: 'float32' });
  const two = await inspect({ logits: ['logits', FLOAT32, ['batch', 384]] });
  expect(two.logits).toEqual({ positions: 'last', rank: 2, type: 'float32' });
});

it('takes a graph without GroupQueryAttention as one that copies, and its positions from config.json', async () => {
  await writeFile(join(folder, 'config.json'), '{"max_position_embeddings": 77}');
  const plain = await inspect({}, { node: [{ opType: 'MatMul' }], initializer: [] });
  expect(plain).toMatchObject({ sharesCache: false, maxPositions: 77 });
  await rm(join(folder, 'config.json'));
  expect(await inspect({}, { node: [{ opType: 'MatMul' }], initializer: [] })).toMatchObject({ maxPositions: null });
});

it('takes a graph whose caches others read as well as one that copies: layers that share an earlier one, and shapes of a past', async () => {
  const attention = (output: string) => ({
    ...{ opType: 'GroupQueryAttention', output: [output] },
    input: ['q', 'k', 'v', 'past_key_values.0.key', 'past_key_values.0.value', '', '', 'cos'],
  });
  expect(await inspect({}, { node: [attention('a')] })).toMatchObject({ sharesCache: true });
  const shapes = { opType: 'Shape', input: ['past_key_values.0.key'], output: ['s'] };
  const shared = { opType: 'MultiHeadAttention', input: ['q', 'present.0.key', 'present.0.value'], output: ['b'] };
  for (const other of [shapes, shared, attention('b')])
    expect(await inspect({}, { node: [attention('a'), other] })).toMatchObject({ sharesCache: false, ownCache: null });
});

it('lets the past choose between the branches of a merged decoder, and looks into them', async () => {
  const branch = { g: { name: 'b', node: [{ opType: 'DynamicQuantizeLinear' }] } };
  const merged = await inspect(
    { '+': ['use_cache_branch', 9, [1]] },
    { node: [{ opType: 'If', input: ['use_cache_branch'], attribute: [{ name: 'then_branch', ...branch }] }] },
  );
  expect(merged).toMatchObject({
    edits: [{ kind: 'cache-branch', past: 'past_key_values.0.key' }],
    sideInputs: [{ kind: 'attention_mask' }],
    rowsRunAlone: true,
  });
});

it('takes caches and logits in half precision', async () => {
  const half = (name: string, dims: (number | string)[]): Record<string, Value> => ({ [name]: [name, FLOAT16, dims] });
  const { cacheType, logits } = await inspect({
    ...half('past_key_values.0.key', ['b', 2, 'p', 16]),
    ...half('past_key_values.0.value', ['b', 2, 'p', 16]),
    ...half('logits', ['b', 's', 384]),
  });
  expect(cacheType).toBe('float16');
  expect(logits.type).toBe('float16');
});

it('accepts the lengths that onnxruntime-genai feeds directly', async () => {
  const { sideInputs } = await inspect({
    attention_mask: ['seqlens_k', INT32, ['batch']],
    '+': ['total_sequence_length', INT32, []],
  });
  expect(sideInputs).toEqual([{ kind: 'seqlens_k' }, { kind: 'total_sequence_length', rank: 0 }]);
});

it('takes a head size that the graph only names from the configuration beside it', async () => {
  const named = (name: string): Record<string, Value> => ({ [name]: [name, FLOAT32, ['b', 2, 'p', 'kv_cache_dim']] });
  const change = { ...named('past_key_values.0.key'), ...named('past_key_values.0.value') };
  await expect(inspect(change)).rejects.toThrow(/must give head_dim or head_size/);
  const genai = join(folder, 'genai_config.json');
  for (const nonsense of ['-1', '1.5', '1e30', '"16"']) {
    await writeFile(genai, `{"model": {"decoder": {"head_size": ${nonsense}}}}`);
    await expect(inspect(change)).rejects.toThrow(/must give head_dim or head_size/);
  }
  await writeFile(genai, '{"model": {"decoder": {"head_size": 16}}}');
  expect(await inspect(change)).toMatchObject({ headSize: 16, kvHeads: 2, maxPositions: 512 });
  await rm(genai);
});

it("takes positions in several rows, as models that see have them, and sizes from where these keep their text's", async () => {
  const change: Record<string, Value> = { '+': ['position_ids', INT64, [3, 'batch', 'sequence']] };
  const rows = await inspect(change);
  expect(rows.edits).toContainEqual({ kind: 'position-rows', rows: 3 });
  expect(rows.sideInputs).toContainEqual({ kind: 'position_ids' });
  for (const dims of [
    ['rows', 'batch', 'sequence'],
    [3, 'batch', 'sequence', 2],
  ])
    await expect(inspect({ '+': ['position_ids', INT64, dims] })).rejects.toThrow(
      /input "position_ids" is \[.*\]; it must be \[batch, sequence\], or \[rows, batch, sequence\] with a fixed number of rows/,
    );
  const config = join(folder, 'config.json');
  for (const name of ['text_config', 'llm_config', 'language_config']) {
    await writeFile(config, JSON.stringify({ [name]: { max_position_embeddings: 77 } }));
    expect(await inspect({}, { node: [{ opType: 'MatMul' }], initializer: [] })).toMatchObject({ maxPositions: 77 });
  }
  await rm(config);
});

it('puts a window that only the configuration tells into attention, or stops at it where it cannot', async () => {
  const genai = join(folder, 'genai_config.json');
  const configure = (window: object) =>
    writeFile(genai, JSON.stringify({ model: { decoder: { sliding_window: { window_size: 24, ...window } } } }));
  await configure({ slide_inputs: false, layers: [] });
  const edits = [{ kind: 'window', tokens: 24, layers: null }];
  expect(await inspect()).toMatchObject({ maxPositions: 512, slidingWindow: 24, edits });
  expect(await inspect({}, { node: [{ opType: 'MatMul' }] })).toMatchObject({ maxPositions: 24, edits: [] });
  await configure({ slide_inputs: false, layers: [0] });
  expect(await inspect()).toMatchObject({ edits: [{ kind: 'window', tokens: 24, layers: [0] }] });
  await configure({ slide_inputs: true });
  expect(await inspect()).toMatchObject({ maxPositions: 24, slidingWindow: null, edits: [] });
  await rm(genai);
});

it('keeps the whole past of layers that would keep rings, with the window that they have', async () => {
  const attribute = [
    { name: 'local_window_size', i: 8, type: 2 },
    { name: 'sliding_window_cache', i: 1, type: 2 },
  ];
  const rings = await inspect({}, { node: [{ opType: 'GroupQueryAttention', attribute }] });
  expect(rings).toMatchObject({ slidingWindow: 8, edits: [{ kind: 'whole-cache' }], sharesCache: true });
});

it('tells how far each of two rotary tables goes, and what takes the longer one', async () => {
  const table = (rows: number) => ({
    g: { name: 'b', initializer: [{ name: 't', dims: [rows, 8], dataType: FLOAT32 }] },
  });
  const node = [
    {
      opType: 'If',
      input: ['long'],
      output: ['cos', 'sin'],
      attribute: [
        { name: 'else_branch', ...table(64) },
        { name: 'then_branch', ...table(256) },
      ],
    },
    { opType: 'GroupQueryAttention', input: ['', '', '', '', '', '', '', 'cos'] },
  ];
  expect(await inspect({}, { node })).toMatchObject({
    maxPositions: 64,
    longRotary: { maxPositions: 256, edit: { kind: 'rotary-table', output: 'cos', condition: true } },
    edits: [],
  });
});

it('asks for the last position alone where the graph lets it choose', async () => {
  const { sideInputs, logits } = await inspect({ '+': ['num_logits_to_keep', INT64, []] });
  expect(sideInputs).toContainEqual({ kind: 'num_logits_to_keep', rank: 0 });
  expect(logits.positions).toBe('last');
});

it('gives rows runs of their own where scales or experts of a step would let them change each other', async () => {
  const scales = await inspect({}, { node: [{ opType: 'DynamicQuantizeLinear' }] });
  expect(scales).toMatchObject({ sharesCache: false, rowsShareScales: true, rowsRunAlone: true });
  const experts = await inspect({}, { node: [{ opType: 'GroupQueryAttention' }, { opType: 'QMoE' }] });
  expect(experts).toMatchObject({ sharesCache: true, rowsShareScales: false, rowsRunAlone: true });
});

it.each<[string, Record<string, Value | null>, RegExp]>([
  ['no tokens', { input_ids: null }, /no input "input_ids"/],
  ['int32 tokens', { input_ids: ['input_ids', INT32, ['b', 's']] }, /"input_ids" is int32; export it as int64/],
  ['no cache', { 'past_key_values.0.key': null, 'past_key_values.0.value': null }, /with its KV cache/],
  ['half a cache', { 'past_key_values.0.value': null }, /input "past_key_values.0.value" is missing/],
  ['no present', { 'present.0.key': null }, /output "present.0.key" is missing/],
  [
    'a cache in bfloat16',
    { 'past_key_values.0.key': ['past_key_values.0.key', BFLOAT16, ['b', 2, 'p', 16]] },
    /"past_key_values.0.key" is bfloat16; export the model with a KV cache in float32 or float16/,
  ],
  [
    'layers of different types',
    { 'past_key_values.0.value': ['past_key_values.0.value', FLOAT16, ['b', 2, 'p', 16]] },
    /"past_key_values.0.value" is float16, the first layer float32/,
  ],
  [
    'free heads',
    { 'past_key_values.0.key': ['past_key_values.0.key', FLOAT32, ['b', 'h', 'p', 16]] },
    /\[b, h, p, 16\]; it must be \[batch, kvHeads, past, headSize\]/,
  ],
  [
    'layers of different shapes',
    { 'past_key_values.0.value': ['past_key_values.0.value', FLOAT32, ['b', 4, 'p', 16]] },
    /has 4 heads of 16, the first layer 2 of 16/,
  ],
  ['no logits', { logits: null }, /no output "logits"/],
  ['integer logits', { logits: ['logits', INT32, ['b', 's', 384]] }, /"logits" is int32/],
  ['a free vocabulary', { logits: ['logits', FLOAT32, ['b', 's', 'v']] }, /fixed vocabulary/],
  ['an unknown input', { '+': ['pixel_values', FLOAT32, ['b', 3]] }, /input "pixel_values" \[b, 3\] is not known/],
  ['a float mask', { attention_mask: ['attention_mask', FLOAT32, ['b', 't']] }, /"attention_mask" is float32/],
])('refuses a model with %s', async (_, change, message) => {
  const opening = inspect(change);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.toBeInstanceOf(ModelLoadError);
});

it('names every missing and short file of external weights with the bytes it should have', async () => {
  await writeFile(join(folder, 'weights.1'), new Uint8Array(10));
  const stored = (location: string, offset: string, length: string) => ({
    name: location + offset,
    dims: [4],
    dataType: FLOAT32,
    dataLocation: 1,
    externalData: Object.entries({ location, offset, length }).map(([key, value]) => ({ key, value })),
  });
  const opening = inspect(
    {},
    { initializer: [stored('weights.0', '0', '16'), stored('weights.1', '0', '16'), stored('weights.1', '16', '16')] },
  );
  await expect(opening).rejects.toThrow(
    'weights.0 is missing (at least 16 bytes); weights.1 has 10 bytes, at least 32 are needed. Copy the whole folder',
  );
});

it('says when the file is missing, empty, or not ONNX', async () => {
  await expect(inspectModel(join(folder, 'absent.onnx'))).rejects.toThrow(/absent.onnx: the file does not exist/);
  await writeFile(join(folder, 'text.onnx'), 'version https://git-lfs.github.com/spec/v1\n');
  await expect(inspectModel(join(folder, 'text.onnx'))).rejects.toThrow(/copy or download it again/);
  await writeFile(join(folder, 'empty.onnx'), '');
  await expect(inspectModel(join(folder, 'empty.onnx'))).rejects.toThrow(/no graph/);
});

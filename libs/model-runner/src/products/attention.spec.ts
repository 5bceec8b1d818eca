import fc from 'fast-check';
import onnxProto, { type onnx } from 'onnx-proto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { KvType } from '#contracts';
import { KV_TYPES } from '#contracts/ports';
import { CApiSession } from '../binding/c-api-session.ts';
import type { SessionOptions } from '../binding/session-binding.ts';
import { type KvArray, kvArray } from '../element-type.ts';
import { ownTokenLength } from '../runners/kv-layout.ts';
import { productLibrary } from './product-library.ts';
import { withProducts } from './with-products.ts';

const { AttributeProto, ModelProto } = onnxProto.onnx;
const [FLOAT32, INT32] = [1, 6];
const library = productLibrary();
/** Those that the processor can run; the best comes last, and stays. */
const KERNELS =
  typeof library === 'string' ? [] : library.kernels.filter((name) => library.useKernel(name) === 1).toReversed();
const POSITIONS = 512;

interface Layer {
  readonly kvHeads: number;
  /** Heads of queries for each of keys. */
  readonly group: number;
  readonly headSize: number;
  /** 0 for all. */
  readonly window: number;
  readonly softcap: number;
  /** Share of a head that is turned; 0 for none. */
  readonly turned: number;
  readonly separate: boolean;
  readonly sinks: boolean;
  readonly seed: number;
}

const layers = fc.record({
  kvHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 9 }),
  headSize: fc.constantFrom(16, 32, 48, 64, 80, 96, 112, 128, 256),
  window: fc.constantFrom(0, 0, 5, 64, 100),
  softcap: fc.constantFrom(0, 0, 5, 50),
  turned: fc.constantFrom(0, 0.5, 1, 1),
  separate: fc.boolean(),
  sinks: fc.boolean(),
  seed: fc.nat(),
});

function random(seed: number): (length: number, largest: number) => Float32Array {
  let state = seed + 1;
  return (length, largest) =>
    Float32Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state / 2 ** 31 - 1) * largest;
    });
}

/** Values rotated by half of them, as `turned` says: a multiple of 16. */
const turnedOf = ({ headSize, turned }: Layer) => Math.ceil((headSize * turned) / 16) * 16;
const INPUT_NAMES = ['query', 'key', 'value', 'past_key', 'past_value', 'seqlens_k', 'total', 'cos', 'sin', 'sinks'];

/** A model of one GroupQueryAttention node, as exporters write it. */
function modelOf(layer: Layer, change?: (node: onnx.INodeProto) => void): Uint8Array {
  const { kvHeads, group, headSize, window, softcap, separate, sinks } = layer;
  const heads = kvHeads * group;
  const turned = turnedOf(layer);
  const value = (name: string, elemType: number, dims: (number | string)[]) => ({
    name,
    type: {
      tensorType: {
        elemType,
        shape: { dim: dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size })) },
      },
    },
  });
  const cache = (name: string) => value(name, FLOAT32, ['batch', kvHeads, `${name} tokens`, 'head']);
  const integer = (name: string, i: number) => ({ name, i, type: AttributeProto.AttributeType.INT });
  const float = (name: string, f: number) => ({ name, f, type: AttributeProto.AttributeType.FLOAT });
  const angles = random(layer.seed)((POSITIONS * turned) / 2, 3);
  const table = (name: string, of: (angle: number) => number) => ({
    ...{ name, dataType: FLOAT32, dims: [POSITIONS, turned / 2] },
    rawData: new Uint8Array(angles.map(of).buffer),
  });
  const present = turned > 0 ? ['cos', 'sin'] : ['', ''];
  const node: onnx.INodeProto = {
    ...{ opType: 'GroupQueryAttention', domain: 'com.microsoft' },
    input: [
      ...['query', separate ? 'key' : '', separate ? 'value' : '', 'past_key', 'past_value', 'seqlens_k', 'total'],
      ...[...present, '', '', sinks ? 'sinks' : ''],
    ],
    output: ['output', 'present_key', 'present_value'],
    attribute: [
      integer('num_heads', heads),
      integer('kv_num_heads', kvHeads),
      float('scale', 0.3),
      float('softcap', softcap),
      integer('local_window_size', window === 0 ? -1 : window),
      integer('do_rotary', Number(turned > 0)),
      integer('rotary_interleaved', 0),
    ],
  };
  change?.(node);
  const width = (separate ? heads : heads + 2 * kvHeads) * headSize;
  return ModelProto.encode({
    irVersion: 8,
    opsetImport: [
      { domain: '', version: 17 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'attention',
      node: [node],
      input: [
        value('query', FLOAT32, ['batch', 'tokens', width]),
        ...(separate ? ['key', 'value'] : []).map((name) =>
          value(name, FLOAT32, ['batch', 'tokens', kvHeads * headSize]),
        ),
        ...['past_key', 'past_value'].map(cache),
        value('seqlens_k', INT32, ['batch']),
        value('total', INT32, []),
      ],
      output: [
        value('output', FLOAT32, ['batch', 'tokens', heads * headSize]),
        ...['present_key', 'present_value'].map(cache),
      ],
      initializer: [
        ...(turned > 0 ? [table('cos', Math.cos), table('sin', Math.sin)] : []),
        ...(sinks
          ? [
              {
                name: 'sinks',
                dataType: FLOAT32,
                dims: [heads],
                rawData: new Uint8Array(random(layer.seed)(heads, 2).buffer),
              },
            ]
          : []),
      ],
    },
  }).finish();
}

/** [batch, kvHeads, capacity, …] */
interface Cache {
  readonly keys: KvArray;
  readonly values: KvArray;
  readonly capacity: number;
}

/** How many tokens of a head lie in one piece; one in ONNX Runtime's order. */
const TILE = 16;
/** What rounding keys and values makes of outputs, at most. */
const TOLERANCE = { float32: 1e-4, float16: 5e-3, int8: 5e-2 } as const;

/** One node behind `pasts` [batch] tokens; inputs are cut from `rows` [batch][tokens, width], of which `from` are behind it. */
class Attention {
  readonly #session: CApiSession;
  readonly #layer: Layer;
  /** Of a cache of our own; null for ONNX Runtime's. */
  readonly #ownCache: KvType | null;

  constructor(model: SessionOptions['model'], layer: Layer, ownCache: KvType | null = null) {
    const inputNames = INPUT_NAMES.filter((name) => !['cos', 'sin', 'sinks'].includes(name)).filter(
      (name) => layer.separate || !['key', 'value'].includes(name),
    );
    const outputNames = ['output', 'present_key', 'present_value'];
    this.#session = new CApiSession({ model, provider: 'cpu', inputNames, outputNames, threads: 2, spinUs: 0 });
    this.#layer = layer;
    this.#ownCache = ownCache;
  }

  /** @param packed [batch, tokens, (heads + 2 × kvHeads) × headSize] */
  run(
    packed: Float32Array,
    tokens: number,
    pasts: readonly number[],
    past: Cache,
  ): { output: Float32Array; cache: Cache } {
    const { kvHeads, group, headSize, separate } = this.#layer;
    const batch = pasts.length;
    const [own, kv] = [kvHeads * group * headSize, kvHeads * headSize];
    const longest = Math.max(...pasts) + tokens;
    const type = this.#ownCache;
    const needed = type === null ? longest : Math.ceil(longest / TILE) * TILE;
    const capacity = Math.max(needed, past.capacity);
    const tokenLength = type === null ? headSize : ownTokenLength(type, headSize);
    const cut = (from: number, size: number) =>
      Float32Array.from(
        { length: batch * tokens * size },
        (_, i) => packed[Math.floor(i / size) * (own + 2 * kv) + from + (i % size)] ?? 0,
      );
    const cacheDims = (tokensHeld: number) => [batch, kvHeads, tokensHeld, tokenLength];
    const held = () => kvArray(type ?? 'float32', batch * kvHeads * tokenLength * capacity);
    const output = new Float32Array(batch * tokens * own);
    const cache = { keys: held(), values: held(), capacity };
    const tensor = (data: KvArray | Int32Array, dims: number[]) => this.#session.tensor(data, dims);
    const inputs = [
      ...(separate
        ? [
            tensor(cut(0, own), [batch, tokens, own]),
            tensor(cut(own, kv), [batch, tokens, kv]),
            tensor(cut(own + kv, kv), [batch, tokens, kv]),
          ]
        : [tensor(packed, [batch, tokens, own + 2 * kv])]),
      tensor(past.keys, cacheDims(past.capacity)),
      tensor(past.values, cacheDims(past.capacity)),
      tensor(
        Int32Array.from(pasts, (one) => one + tokens - 1),
        [batch],
      ),
      tensor(Int32Array.of(longest), []),
    ];
    const run = this.#session.newRun();
    inputs.forEach((input, i) => {
      run.setInput(i, input);
    });
    run.setOutput(0, tensor(output, [batch, tokens, own]));
    run.setOutput(1, tensor(cache.keys, cacheDims(capacity)));
    run.setOutput(2, tensor(cache.values, cacheDims(capacity)));
    run.run();
    return { output, cache };
  }

  [Symbol.dispose](): void {
    this.#session.close();
  }
}

const NOTHING: Cache = { keys: new Float32Array(0), values: new Float32Array(0), capacity: 0 };
const nothing = (type: KvType): Cache => ({ keys: kvArray(type, 0), values: kvArray(type, 0), capacity: 0 });
const widthOf = ({ kvHeads, group, headSize }: Layer) => kvHeads * (group + 2) * headSize;
const bitsOf = ({ buffer, byteOffset, byteLength }: KvArray) => new Uint8Array(buffer, byteOffset, byteLength);

const cachesOf = ({ headSize }: Layer) => ({
  cache: [
    { past: 'past_key', present: 'present_key' },
    { past: 'past_value', present: 'present_value' },
  ],
  headSize,
});

async function own(layer: Layer, type: KvType): Promise<Attention> {
  const model = await withProducts({ file: 'model.onnx', bytes: modelOf(layer) }, cachesOf(layer), type);
  if (model === null) throw new Error('the attention is not ours');
  try {
    return new Attention(model, layer, type);
  } finally {
    model.products.release();
  }
}

const theirs = (layer: Layer) => new Attention({ file: 'model.onnx', bytes: modelOf(layer) }, layer);

function largestDifference(a: KvArray, b: KvArray): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((a[i] ?? 0) - (b[i] ?? Number.NaN)));
  return largest;
}

/** Our keys or values of one sequence in ONNX Runtime's order, [kvHeads, tokens, headSize]; not of quanta. */
function inTheirOrder(
  { kvHeads, headSize }: Layer,
  { capacity, ...cache }: Cache,
  part: 'keys' | 'values',
  tokens: number,
): Float32Array {
  const [position, value] = part === 'keys' ? [1, TILE] : [headSize, 1];
  return Float32Array.from({ length: kvHeads * tokens * headSize }, (_, i) => {
    const [head, token] = [Math.floor(i / headSize / tokens), Math.floor(i / headSize) % tokens];
    const tile = (head * capacity + token - (token % TILE)) * headSize;
    return cache[part][tile + (token % TILE) * position + (i % headSize) * value] ?? Number.NaN;
  });
}

describe.each(KERNELS)('attention of the library, by %s', (kernel) => {
  beforeAll(() => {
    if (typeof library !== 'string') library.useKernel(kernel);
  });

  it.each(KV_TYPES)(
    "is ONNX Runtime's but for the order of sums and what %s rounds: prompts, and decode runs of rows of any lengths",
    async (type) => {
      const sizes = fc.record({
        layer: layers,
        tokens: fc.integer({ min: 1, max: 350 }),
        rows: fc.integer({ min: 1, max: 4 }),
      });
      await fc.assert(
        fc.asyncProperty(sizes, async ({ layer, tokens, rows }) => {
          using ours = await own(layer, type);
          using reference = theirs(layer);
          const numbers = random(layer.seed);
          const prompts = numbers(rows * tokens * widthOf(layer), 1);
          const pasts = Array.from({ length: rows }, () => 0);
          const [a, b] = [
            ours.run(prompts, tokens, pasts, nothing(type)),
            reference.run(prompts, tokens, pasts, NOTHING),
          ];
          expect(largestDifference(a.output, b.output)).toBeLessThan(TOLERANCE[type]);
          if (type === 'float32') {
            const [keys, values] = (['keys', 'values'] as const).map((part) =>
              inTheirOrder(layer, a.cache, part, tokens),
            );
            expect(largestDifference(keys ?? b.output, b.cache.keys)).toBeLessThan(1e-5);
            expect(values).toEqual(b.cache.values.slice(0, values?.length));
          }
          const shorter = Array.from({ length: rows }, (_, row) => Math.max(0, tokens - 1 - row * 7));
          const next = numbers(rows * widthOf(layer), 1);
          const decoded = [ours.run(next, 1, shorter, a.cache), reference.run(next, 1, shorter, b.cache)];
          const [mine, their] = decoded.map(({ output }) => output);
          expect(largestDifference(mine ?? a.output, their ?? a.output)).toBeLessThan(TOLERANCE[type]);
        }),
        { numRuns: 20 },
      );
    },
  );

  it.each(KV_TYPES)('gives a token the same bits over %s, whichever tokens are computed with it', async (type) => {
    const sizes = fc.record({
      layer: layers,
      chunks: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ layer, chunks }) => {
        using ours = await own(layer, type);
        const tokens = chunks.reduce((sum, chunk) => sum + chunk, 0);
        const width = widthOf(layer);
        const prompt = random(layer.seed)(tokens * width, 1);
        const whole = ours.run(prompt, tokens, [0], nothing(type));
        const perToken = layer.kvHeads * layer.group * layer.headSize;
        let from = 0;
        let cache = nothing(type);
        for (const chunk of chunks) {
          const part = ours.run(prompt.slice(from * width, (from + chunk) * width), chunk, [from], cache);
          expect(bitsOf(part.output)).toEqual(bitsOf(whole.output.slice(from * perToken, (from + chunk) * perToken)));
          cache = part.cache;
          from += chunk;
        }
        expect(bitsOf(cache.keys)).toEqual(bitsOf(whole.cache.keys));
        expect(bitsOf(cache.values)).toEqual(bitsOf(whole.cache.values));
      }),
      { numRuns: 15 },
    );
  });

  const plain: Layer = {
    kvHeads: 2,
    group: 2,
    headSize: 32,
    window: 0,
    softcap: 0,
    turned: 1,
    separate: false,
    sinks: false,
    seed: 3,
  };
  const attribute = (name: string, i: number) => ({ name, i, type: AttributeProto.AttributeType.INT });

  it.each<[string, (node: onnx.INodeProto) => void]>([
    ['a ring of the newest tokens', (node) => node.attribute?.push(attribute('sliding_window_cache', 1))],
    ['neighbours that are turned together', (node) => node.attribute?.push(attribute('rotary_interleaved', 1))],
    ['a kind that came later', (node) => node.attribute?.push(attribute('some_new_kind', 1))],
    ['positions of its own', (node) => node.input?.splice(9, 1, 'position_ids')],
    ['a bias', (node) => node.input?.splice(10, 1, 'bias')],
    ['scores as an output', (node) => node.output?.push('scores')],
  ])('leaves %s to ONNX Runtime', async (_, change) => {
    const unchanged = await withProducts({ file: 'model.onnx', bytes: modelOf(plain) }, cachesOf(plain), 'auto');
    expect(unchanged?.ownCache).toBe('float32');
    unchanged?.products.release();
    expect(
      await withProducts({ file: 'model.onnx', bytes: modelOf(plain, change) }, cachesOf(plain), 'auto'),
    ).toBeNull();
  });

  it.each([24, 272])('leaves heads of %i values to ONNX Runtime', async (headSize) => {
    const layer = { ...plain, headSize };
    expect(await withProducts({ file: 'model.onnx', bytes: modelOf(layer) }, cachesOf(layer), 'auto')).toBeNull();
  });
});

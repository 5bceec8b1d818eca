import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import onnxProto, { type onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { CApiSession } from '../binding/c-api-session.ts';
import type { SessionOptions } from '../binding/session-binding.ts';
import { productLibrary } from './product-library.ts';
import { withProducts } from './with-products.ts';

const NO_CACHES = { cache: [], headSize: 64 };
const { AttributeProto, ModelProto } = onnxProto.onnx;
const [FLOAT32, UINT8, FLOAT16] = [1, 2, 10];
const library = productLibrary();
/** Those that the processor has the instructions of, the library's own choice last, so that it stays. */
const KERNELS =
  typeof library === 'string' ? [] : library.kernels.filter((name) => library.useKernel(name) === 1).toReversed();
/** Lets one of them compute from now on. */
const use = (kernel: string): void => {
  if (typeof library !== 'string') library.useKernel(kernel);
};

interface Case {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly bits: 4 | 8;
  readonly block: number;
  readonly scales: 'float32' | 'float16' | 'float16 times a constant';
  readonly zeros: boolean;
  /** 4 bits in the file, 17 times as much at run time, by nodes that the importer writes. */
  readonly spread: boolean;
  readonly seed: number;
}

const cases = fc
  .record({
    // Few, and more than one pass of tiles takes.
    rows: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 11 }) }, fc.integer({ min: 12, max: 90 })),
    blocks: fc.integer({ min: 1, max: 5 }),
    outputs: fc.integer({ min: 1, max: 100 }),
    bits: fc.constantFrom<4 | 8>(4, 8),
    block: fc.constantFrom(32, 64, 128),
    scales: fc.constantFrom<Case['scales']>('float32', 'float16', 'float16 times a constant'),
    zeros: fc.boolean(),
    spread: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ blocks, ...rest }): Case => {
    const spread = rest.spread && rest.bits === 8;
    const block = spread ? 32 : rest.block;
    return { ...rest, spread, block, inputs: blocks * block };
  });

/** Weights [outputs, inputs] as quanta, and for each block a scale and a zero point; and the rows. */
function numbersOf({ rows, inputs, outputs, bits, block, scales, zeros, spread, seed }: Case) {
  let state = seed + 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const groups = (outputs * inputs) / block;
  const stored = Uint8Array.from({ length: outputs * inputs }, () => random(spread ? 16 : 2 ** bits));
  const half = Float16Array.from({ length: groups }, () => (random(2_000) - 1_000) / 5_000);
  const factor = Math.fround(1 / 17);
  const scale = Float32Array.from(half, (value, i) =>
    scales === 'float32' ? value + i / 1e6 : scales === 'float16' ? value : value * factor,
  );
  const zero = Uint8Array.from({ length: groups }, () =>
    zeros ? random(spread || bits === 8 ? 256 : 16) : 2 ** (bits - 1),
  );
  const x = Float32Array.from({ length: rows * inputs }, (_, i) =>
    i % 7 === 0 ? 0 : (random(20_000) - 10_000) / 3_000,
  );
  // A block of zeros has the scale 0, and one of numbers so small that 127 divided by them is none counts as zeros.
  if (seed % 3 === 0) x.fill(0, 0, 32);
  if (seed % 3 === 1) x.fill(1e-38, 0, 32);
  return { stored, half, factor, scale, zero, x };
}

type Numbers = ReturnType<typeof numbersOf>;

/** a × b + c, rounded once to float32: of a sum that float64 does not hold, the neighbour with an odd last bit keeps what decides. */
function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  if (error === 0 || !Number.isFinite(sum)) return Math.fround(sum);
  const bits = new BigInt64Array(Float64Array.of(sum).buffer);
  if ((bits[0] ?? 0n) % 2n === 0n) bits[0] = (bits[0] ?? 0n) + (error > 0 === sum > 0 ? 1n : -1n);
  return Math.fround(new Float64Array(bits.buffer)[0] ?? 0);
}

/** The arithmetic that README.md defines, one output after the other. */
function reference({ rows, inputs, outputs, block, spread }: Case, { stored, scale, zero, x }: Numbers): Float32Array {
  const y = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    const rounded = Array.from({ length: inputs / 32 }, (_, b) => {
      const values = x.subarray(row * inputs + b * 32, row * inputs + (b + 1) * 32);
      const largest = Math.max(...values.map(Math.abs));
      const step = largest < 2 ** -100 ? 0 : Math.fround(largest / 127);
      const inverse = step === 0 ? 0 : Math.fround(127 / largest);
      return { step, quanta: Array.from(values, (value) => roundHalfToEven(Math.fround(value * inverse))) };
    });
    for (let output = 0; output < outputs; output++) {
      const sums = [0, 0];
      rounded.forEach(({ step, quanta }, b) => {
        const group = Math.floor((output * inputs + b * 32) / block);
        const weight = (i: number) =>
          (stored[output * inputs + b * 32 + i] ?? 0) * (spread ? 17 : 1) - (zero[group] ?? 0);
        const dot = quanta.reduce((total, quantum, i) => total + quantum * weight(i), 0);
        sums[b % 2] = fusedMultiplyAdd(Math.fround(dot * step), scale[group] ?? 0, sums[b % 2] ?? 0);
      });
      y[row * outputs + output] = (sums[0] ?? 0) + (sums[1] ?? 0);
    }
  }
  return y;
}

function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** A model of one product, as exporters and the importer write it. */
function modelOf({ inputs, outputs, bits, block, scales, zeros, spread }: Case, numbers: Numbers): Uint8Array {
  const { stored, half, factor, scale, zero } = numbers;
  const groups = inputs / block;
  const tensor = (name: string, dataType: number, dims: number[], values: ArrayBufferView) => ({
    ...{ name, dataType, dims },
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  const integer = (name: string, i: number) => ({ name, i, type: AttributeProto.AttributeType.INT });
  const shift = (input: string, output: string, direction: string) => ({
    ...{ opType: 'BitShift', input: [input, 'four'], output: [output] },
    attribute: [{ name: 'direction', s: Buffer.from(direction), type: AttributeProto.AttributeType.STRING }],
  });
  const initializer = [];
  const node: object[] = [];
  const held = spread ? 4 : bits;
  const dims = [outputs, groups, (block * held) / 8];
  initializer.push(
    tensor('stored', UINT8, dims, spread ? halves(stored) : held === 4 ? neighbours(stored, inputs) : stored),
  );
  if (spread) {
    initializer.push(tensor('four', UINT8, [], Uint8Array.of(4)), tensor('fifteen', UINT8, [], Uint8Array.of(15)));
    node.push(
      { opType: 'BitwiseAnd', input: ['stored', 'fifteen'], output: ['low'] },
      shift('stored', 'high', 'RIGHT'),
    );
    node.push({ opType: 'Concat', input: ['low', 'high'], output: ['quanta'], attribute: [integer('axis', -1)] });
    node.push(shift('quanta', 'up', 'LEFT'), { opType: 'BitwiseOr', input: ['quanta', 'up'], output: ['spread'] });
  }
  if (scales === 'float32') initializer.push(tensor('scales', FLOAT32, [outputs, groups], scale));
  else {
    initializer.push(tensor('half', FLOAT16, [outputs, groups], half));
    const wide = scales === 'float16' ? 'scales' : 'wide';
    node.push({ opType: 'Cast', input: ['half'], output: [wide], attribute: [integer('to', FLOAT32)] });
    if (wide === 'wide') {
      initializer.push(tensor('factor', FLOAT32, [], Float32Array.of(factor)));
      node.push({ opType: 'Mul', input: ['wide', 'factor'], output: ['scales'] });
    }
  }
  if (zeros)
    initializer.push(
      bits === 4
        ? tensor('zeros', UINT8, [outputs, Math.ceil(groups / 2)], neighbours(zero, groups))
        : tensor('zeros', UINT8, [outputs, groups], zero),
    );
  node.push({
    opType: 'MatMulNBits',
    domain: 'com.microsoft',
    input: ['x', spread ? 'spread' : 'stored', 'scales', ...(zeros ? ['zeros'] : [])],
    output: ['y'],
    attribute: [
      integer('K', inputs),
      integer('N', outputs),
      integer('bits', bits),
      integer('block_size', block),
      integer('accuracy_level', 4),
    ],
  });
  const value = (name: string, size: number) => ({
    name,
    type: { tensorType: { elemType: FLOAT32, shape: { dim: [{ dimParam: 'rows' }, { dimValue: size }] } } },
  });
  const graph = { name: 'g', node, initializer, input: [value('x', inputs)], output: [value('y', outputs)] };
  const opsetImport = [
    { domain: '', version: 21 },
    { domain: 'com.microsoft', version: 1 },
  ];
  return ModelProto.encode(ModelProto.fromObject({ irVersion: 10, opsetImport, graph })).finish();
}

/** Two neighbours in a byte, each row beginning with a byte. */
function neighbours(values: Uint8Array, row: number): Uint8Array {
  const bytes = Math.ceil(row / 2);
  const out = new Uint8Array((values.length / row) * bytes);
  values.forEach((value, i) => {
    const at = Math.floor(i / row) * bytes + Math.floor((i % row) / 2);
    out[at] = (out[at] ?? 0) | (value << (4 * ((i % row) % 2)));
  });
  return out;
}

/** Of a block of 32, quanta i and 16 + i in a byte. */
function halves(values: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: values.length / 2 }, (_, i) => {
    const first = Math.floor(i / 16) * 32 + (i % 16);
    return (values[first] ?? 0) | ((values[first + 16] ?? 0) << 4);
  });
}

function run(model: SessionOptions['model'], { inputs, outputs }: Case, x: Float32Array, threads = 2): Float32Array {
  const rows = x.length / inputs;
  const names = { inputNames: ['x'], outputNames: ['y'] };
  const session = new CApiSession({ model, provider: 'cpu', ...names, threads, spinUs: 0 });
  try {
    const y = new Float32Array(rows * outputs);
    const bound = session.newRun();
    bound.setInput(0, session.tensor(x, [rows, inputs]));
    bound.setOutput(0, session.tensor(y, [rows, outputs]));
    bound.run();
    return y;
  } finally {
    session.close();
  }
}

async function runOwn(one: Case, model: Uint8Array, x: Float32Array, threads?: number): Promise<Float32Array> {
  const own = await withProducts({ file: 'model.onnx', bytes: model }, NO_CACHES, 'auto');
  if (own === null) throw new Error('the product is not ours');
  try {
    return run(own, one, x, threads);
  } finally {
    own.products.release();
  }
}

const bitsOf = (values: Float32Array) => Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length));

describe.runIf(KERNELS.length > 0)('products of the library', () => {
  it('are computed by the best kernel of those that the processor has instructions for', () => {
    expect(typeof library === 'string' ? undefined : library.kernel).toBe(KERNELS.at(-1));
  });

  it('have the bits that the arithmetic defines, for every kind of weights and any number of rows and threads', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const numbers = numbersOf(one);
        const model = modelOf(one, numbers);
        const expected = bitsOf(reference(one, numbers).map((value) => value + 0));
        for (const kernel of KERNELS) {
          use(kernel);
          for (const threads of [1, 2]) {
            const y = await runOwn(one, model, numbers.x, threads);
            expect(bitsOf(y.map((value) => value + 0)), `${kernel}, ${threads} threads`).toEqual(expected);
          }
        }
      }),
      { numRuns: 120 },
    );
  });

  it("are ONNX Runtime's but for the order of sums", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        // With wider blocks ONNX Runtime rounds wider blocks of the rows.
        const narrow = { ...one, block: 32 };
        const numbers = numbersOf(narrow);
        const model = modelOf(narrow, numbers);
        const own = await runOwn(narrow, model, numbers.x);
        const theirs = run(model, narrow, numbers.x);
        const largest = Math.max(1, ...theirs.map(Math.abs));
        // A value of a row that lies between two quanta may be rounded to the other one: 1/127 of a block's largest. On Arm ONNX Runtime
        // rounds whole rows for some kinds of weights.
        const most = process.arch === 'arm64' ? 0.03 : 0.01;
        own.forEach((value, i) => {
          expect(Math.abs(value - (theirs[i] ?? 0)) / largest).toBeLessThan(most);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('give a row the same bits alone and in any company', async () => {
    const one: Case = {
      ...{ rows: 39, inputs: 576, outputs: 70, bits: 4, block: 32 },
      scales: 'float16',
      zeros: false,
      spread: false,
      seed: 7,
    };
    const numbers = numbersOf(one);
    const model = modelOf(one, numbers);
    const together = await runOwn(one, model, numbers.x);
    for (const [from, to] of [
      [0, 1],
      [38, 39],
      [3, 9],
      [10, 33],
    ] as const) {
      const some = await runOwn(one, model, numbers.x.slice(from * one.inputs, to * one.inputs));
      expect(bitsOf(some)).toEqual(bitsOf(together.slice(from * one.outputs, to * one.outputs)));
    }
  });

  const plain: Case = {
    ...{ rows: 2, inputs: 64, outputs: 40, bits: 4, block: 32 },
    ...{ scales: 'float32', zeros: false, spread: false, seed: 1 },
  };
  const changed = (change: (node: onnx.INodeProto, graph: onnx.IGraphProto) => void): Uint8Array => {
    const model = ModelProto.decode(modelOf(plain, numbersOf(plain)));
    const node = model.graph?.node?.at(-1);
    if (node === undefined || !model.graph) throw new Error('no product');
    change(node, model.graph);
    return ModelProto.encode(model).finish();
  };
  const attribute = (node: onnx.INodeProto, name: string, i: number): void => {
    for (const one of node.attribute ?? []) if (one.name === name) one.i = i;
  };

  it.each<[string, (node: onnx.INodeProto, graph: onnx.IGraphProto) => void]>([
    ['exact activations', (node) => attribute(node, 'accuracy_level', 0)],
    ['blocks of 16', (node) => attribute(node, 'block_size', 16)],
    ['inputs that fill no block', (node) => attribute(node, 'K', 63)],
    ['a bias', (node) => node.input?.push('', '', 'bias')],
    ['zero points of floats', (node) => node.input?.push('scales')],
    ['weights that are computed', (node) => Object.assign(node, { input: ['x', 'other', 'scales'] })],
    [
      'scales of half precision',
      (_, graph) => {
        for (const tensor of graph.initializer ?? []) if (tensor.name === 'scales') tensor.dataType = FLOAT16;
      },
    ],
  ])('leave a product with %s to ONNX Runtime', async (_, change) => {
    expect(
      await withProducts({ file: 'model.onnx', bytes: changed(() => {}) }, NO_CACHES, 'auto').then(
        (own) => own?.products.release() ?? own,
      ),
    ).not.toBeNull();
    expect(await withProducts({ file: 'model.onnx', bytes: changed(change) }, NO_CACHES, 'auto')).toBeNull();
  });

  it('name the file whose weights end too early', async () => {
    const bytes = changed((_, graph) => {
      const [stored] = graph.initializer ?? [];
      if (stored === undefined) throw new Error('no weights');
      const location = fileURLToPath(import.meta.url);
      stored.rawData = new Uint8Array();
      stored.dataLocation = 1;
      stored.externalData = [
        { key: 'location', value: basename(location) },
        { key: 'offset', value: '1000000' },
      ];
    });
    await expect(withProducts({ file: fileURLToPath(import.meta.url), bytes }, NO_CACHES, 'auto')).rejects.toThrow(
      /its weights can not be packed: block-product\.spec\.ts ends within stored/,
    );
  });
});

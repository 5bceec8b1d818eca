import { readFileSync } from 'node:fs';
import onnxProto from 'onnx-proto';
import { ownProductBytes } from '#model-runner';
import { median } from './statistics.ts';

/** An event of ONNX Runtime's profile (Chrome's trace format); times in µs. */
interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly input_type_shape?: readonly Record<string, number[]>[] };
}

/** All operators of one kind, and for products of one shape, in a run. */
export interface OperatorTimes {
  /** `MatMulNBits 896 → 4864, 4 bits`, `GroupQueryAttention` */
  readonly kind: string;
  readonly count: number;
  readonly ms: number;
  /** Of weights, which each of them reads at least once. */
  readonly bytes: number;
  /** Multiplications with weights, twice; 0 for other operators. */
  readonly operations: number;
}

export interface RunTimes {
  /** Of the whole run, with what the profile itself costs. */
  readonly ms: number;
  readonly operators: readonly OperatorTimes[];
}

/** Per weight matrix: bytes that one product reads, and its shape. */
interface Product {
  readonly kind: string;
  readonly bytes: number;
  readonly weights: number;
}

/** Float32 scale and float32 sum of each block, which ONNX Runtime keeps beside the quanta where activations are in 8 bits. */
const BYTES_BESIDE_BLOCK = 8;

/**
 * Medians over the `last` runs before the `skipped` last ones of a profile, by kind of operator; the longest first.
 * @param products of `weightProducts`, by node name
 */
export function runTimes(
  events: readonly ProfileEvent[],
  products: ReadonlyMap<string, Product>,
  last: number,
  skipped = 0,
): RunTimes {
  const runs = events.filter(({ name }) => name === 'model_run');
  const chosen = runs.slice(runs.length - skipped - last, runs.length - skipped);
  const nodes = events.filter(({ cat, name, args }) => {
    // A choice's time holds that of the nodes in it.
    return cat === 'Node' && name.endsWith(KERNEL_TIME) && args?.op_name !== 'If';
  });
  const samples = new Map<string, { ms: number[]; count: number; bytes: number; operations: number }>();
  for (const [index, run] of chosen.entries()) {
    for (const { ts, dur, name, args } of nodes) {
      if (ts < run.ts || ts >= run.ts + run.dur) continue;
      const operator = args?.op_name ?? '';
      const product = products.get(name.slice(0, -KERNEL_TIME.length));
      const kind = product?.kind ?? operator;
      let sample = samples.get(kind);
      if (sample === undefined) {
        sample = { ms: chosen.map(() => 0), count: 0, bytes: 0, operations: 0 };
        samples.set(kind, sample);
      }
      sample.ms[index] = (sample.ms[index] ?? 0) + dur / 1_000;
      if (index > 0) continue;
      sample.count += 1;
      const rows = rowsOf(args?.input_type_shape?.[0]);
      sample.bytes += product?.bytes ?? 0;
      sample.operations += 2 * rows * (product?.weights ?? 0);
    }
  }
  const operators = [...samples].map(([kind, { ms, ...sums }]) => ({ kind, ms: median(ms), ...sums }));
  return {
    ms: median(chosen.map(({ dur }) => dur / 1_000)),
    operators: operators.sort((a, b) => b.ms - a.ms),
  };
}

const KERNEL_TIME = '_kernel_time';

export const readProfile = (file: string): ProfileEvent[] => JSON.parse(readFileSync(file, 'utf8'));

/** The products with weights in a model's graph and the graphs within it, by the name that a profile calls their node. */
export function weightProducts(modelFile: string): Map<string, Product> {
  const products = new Map<string, Product>();
  const { graph } = onnxProto.onnx.ModelProto.decode(readFileSync(modelFile));
  const dimensions = new Map((graph?.initializer ?? []).map(({ name, dims }) => [name, (dims ?? []).map(Number)]));
  const own = ownProductBytes(graph ?? {});
  const visit = (nodes: readonly onnxProto.onnx.INodeProto[]): void => {
    for (const node of nodes) {
      const product = productOf(node, dimensions);
      const bytes = own.get(node);
      if (product !== null) products.set(node.name ?? '', bytes === undefined ? product : { ...product, bytes });
      for (const { g } of node.attribute ?? []) if (g?.node != null) visit(g.node);
    }
  };
  visit(graph?.node ?? []);
  return products;
}

function productOf(
  { opType, attribute, input }: onnxProto.onnx.INodeProto,
  dimensions: ReadonlyMap<string | null | undefined, readonly number[]>,
): Product | null {
  const number = (name: string): number => Number((attribute ?? []).find((known) => known.name === name)?.i ?? 0);
  if (opType === 'MatMulNBits') {
    const [inputs, outputs, bits, block] = [number('K'), number('N'), number('bits'), number('block_size')];
    const blocks = outputs * Math.ceil(inputs / block);
    const bytes = (blocks * block * bits) / 8 + blocks * BYTES_BESIDE_BLOCK;
    return { kind: `${opType} ${inputs} → ${outputs}, ${bits} bits by ${block}`, bytes, weights: inputs * outputs };
  }
  if (opType !== 'MatMulIntegerToFloat' && opType !== 'MatMul') return null;
  const [inputs, outputs] = dimensions.get(input?.[1]) ?? [];
  if (inputs === undefined || outputs === undefined) return null;
  const bytesOfWeight = opType === 'MatMul' ? 4 : 1;
  const weights = inputs * outputs;
  return { kind: `${opType} ${inputs} → ${outputs}`, bytes: weights * bytesOfWeight, weights };
}

function rowsOf(shape: Record<string, number[]> | undefined): number {
  const sizes = Object.values(shape ?? {})[0] ?? [];
  return sizes.slice(0, -1).reduce((product, size) => product * size, 1);
}

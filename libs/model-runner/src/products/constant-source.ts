import type { onnx } from 'onnx-proto';
import { type Graph, integerAttribute, type Node } from '../signature/value-info.ts';

/** ONNX's TensorProto.DataType numbers of what weights are stored in. */
export const FLOAT32 = 1;
export const UINT8 = 2;
export const FLOAT16 = 10;

export type Initializer = onnx.ITensorProto;

/** Scales as the graph makes them of an initializer: widened, and times a constant. */
export interface ScaleSource {
  readonly tensor: Initializer;
  /** Null where nothing is multiplied: then halves stay halves. */
  readonly factor: number | null;
}

/** Quanta as the graph makes them of an initializer. */
export interface QuantaSource {
  readonly tensor: Initializer;
  /** Two quanta of a byte are 16 apart instead of neighbours, and 17 times as much as their 4 bits say (decision 0002's nb8). */
  readonly spreadHalves: boolean;
}

/** What is known of a graph's constants by name: initializers, and the nodes that make values of them alone. */
export class Constants {
  readonly #initializers: ReadonlyMap<string, Initializer>;
  readonly #producers = new Map<string, Node>();

  constructor(graph: Graph) {
    this.#initializers = new Map((graph.initializer ?? []).map((tensor) => [tensor.name ?? '', tensor]));
    for (const node of graph.node ?? []) for (const name of node.output ?? []) this.#producers.set(name, node);
  }

  initializer(name: string | undefined): Initializer | null {
    return this.#initializers.get(name ?? '') ?? null;
  }

  scales(name: string | undefined): ScaleSource | null {
    const tensor = this.#float(name);
    if (tensor !== null) return { tensor, factor: null };
    const node = this.#producer(name);
    if (node?.opType === 'Reshape') return this.scales(node.input?.[0]);
    if (node?.opType !== 'Mul') return null;
    const [value, constant] = node.input ?? [];
    const factor = this.#scalar(constant);
    const scaled = this.#float(value);
    return scaled === null || factor === null ? null : { tensor: scaled, factor };
  }

  quanta(name: string | undefined): QuantaSource | null {
    const tensor = this.initializer(name);
    if (tensor !== null) return { tensor, spreadHalves: false };
    const spread = this.#spreadHalves(name);
    return spread === null ? null : { tensor: spread, spreadHalves: true };
  }

  #producer(name: string | undefined): Node | undefined {
    return this.#producers.get(name ?? '');
  }

  /** An initializer of floats, or one of halves that a Cast widens. */
  #float(name: string | undefined): Initializer | null {
    const tensor = this.initializer(name);
    if (tensor !== null) return tensor.dataType === FLOAT32 ? tensor : null;
    const node = this.#producer(name);
    if (node?.opType !== 'Cast' || integerAttribute(node, 'to') !== FLOAT32) return null;
    const narrow = this.initializer(node.input?.[0]);
    return narrow?.dataType === FLOAT16 ? narrow : null;
  }

  #scalar(name: string | undefined): number | null {
    const tensor = this.initializer(name);
    const bytes = tensor?.rawData;
    if (tensor?.dataType !== FLOAT32 || bytes?.length !== 4) return null;
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  }

  #byte(name: string | undefined): number | null {
    const tensor = this.initializer(name);
    return tensor?.dataType === UINT8 && tensor.rawData?.length === 1 ? (tensor.rawData[0] ?? null) : null;
  }

  /** q | q << 4 of q = concat(stored & 15, stored >> 4) along the last axis, as the importer writes it. */
  #spreadHalves(name: string | undefined): Initializer | null {
    const or = this.#producer(name);
    if (or?.opType !== 'BitwiseOr') return null;
    const [quanta, shiftedName] = or.input ?? [];
    const shifted = this.#producer(shiftedName);
    if (shifted?.opType !== 'BitShift' || shifted.input?.[0] !== quanta || !this.#shifts(shifted, 'LEFT')) return null;
    const concat = this.#producer(quanta);
    if (concat?.opType !== 'Concat' || integerAttribute(concat, 'axis') !== -1 || concat.input?.length !== 2)
      return null;
    const [low, high] = concat.input.map((input) => this.#producer(input));
    if (low?.opType !== 'BitwiseAnd' || this.#byte(low.input?.[1]) !== 15) return null;
    if (high?.opType !== 'BitShift' || !this.#shifts(high, 'RIGHT') || high.input?.[0] !== low.input?.[0]) return null;
    const stored = this.initializer(low.input?.[0]);
    return stored?.dataType === UINT8 ? stored : null;
  }

  #shifts(node: Node, direction: 'LEFT' | 'RIGHT'): boolean {
    const told = node.attribute?.find((attribute) => attribute.name === 'direction')?.s;
    return told != null && Buffer.from(told).toString() === direction && this.#byte(node.input?.[1]) === 4;
  }
}

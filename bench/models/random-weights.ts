import type { GraphWeights } from '../../libs/models/src/import/decoder/decoder-graph.ts';
import type { OnnxGraph } from '../../libs/models/src/import/onnx/onnx-graph.ts';
import { seededRandom } from '../../test/chaos/seeded-random.ts';
import { layerMatrices, type RandomShape } from './random-shapes.ts';

/** A prime, so that no matrix has two equal rows near each other: weights of one scale are drawn once and repeated. */
const POOL_VALUES = 4_194_301;

/**
 * float16 weights of a shape, uniform and so scaled that activations keep their size, in the order in which products read them: [columns,
 * rows]. What such a model says means nothing; how long it takes is a real one's time.
 */
export class RandomWeights implements GraphWeights {
  readonly vocabulary: number;
  readonly hasPrefillProducts = false;
  readonly #shape: RandomShape;
  readonly #pools = new Map<number, Uint8Array>();
  #next = 0;

  constructor(shape: RandomShape) {
    this.#shape = shape;
    this.vocabulary = shape.vocabulary;
  }

  has(name: string): boolean {
    const part = name.split('.').at(-1) ?? '';
    return Object.hasOwn(layerMatrices(this.#shape), part);
  }

  /** Every vector is a norm's. */
  vector(): Float32Array {
    return new Float32Array(this.#shape.hidden).fill(1);
  }

  embed(graph: OnnxGraph, ids: string): string {
    const { hidden } = this.#shape;
    return graph.node('Gather', [this.#matrix(graph, 'embedding', [this.vocabulary, hidden], 1), ids], { axis: 0 });
  }

  head(graph: OnnxGraph, value: string): string {
    return this.#product(graph, 'head', value, [this.vocabulary, this.#shape.hidden]);
  }

  /** value · matrixᵀ */
  project(graph: OnnxGraph, name: string, value: string): string {
    const sizes = layerMatrices(this.#shape)[name.split('.').at(-1) ?? ''];
    if (sizes === undefined) throw new TypeError(`no matrix ${name}`);
    return this.#product(graph, name, value, sizes);
  }

  #product(graph: OnnxGraph, name: string, value: string, [rows, columns]: readonly [number, number]): string {
    const scale = 1 / Math.sqrt(columns);
    return graph.node('MatMul', [value, this.#matrix(graph, `${name}.weight`, [columns, rows], scale)]);
  }

  #matrix(graph: OnnxGraph, name: string, dimensions: readonly [number, number], scale: number): string {
    const bytes = dimensions[0] * dimensions[1] * Float16Array.BYTES_PER_ELEMENT;
    const chunks = this.#drawn.bind(this, bytes, scale);
    graph.weights({
      initializers: [{ name, type: 'float16', dimensions }],
      async *chunks() {
        for (const chunk of chunks()) yield [chunk];
      },
    });
    return name;
  }

  /** So many bytes of the pool from where the matrix before ended, a view at a time. */
  *#drawn(bytes: number, scale: number): Generator<Uint8Array> {
    const pool = this.#pool(scale);
    for (let done = 0; done < bytes; ) {
      const begin = this.#next % pool.length;
      const view = pool.subarray(begin, Math.min(pool.length, begin + bytes - done));
      yield view;
      done += view.length;
      this.#next = begin + view.length;
    }
  }

  #pool(scale: number): Uint8Array {
    const known = this.#pools.get(scale);
    if (known !== undefined) return known;
    const random = seededRandom(this.#shape.hidden);
    // Of deviation `scale`: a uniform value's is its range ÷ √12.
    const values = new Float16Array(POOL_VALUES).map(() => (random() - 0.5) * Math.sqrt(12) * scale);
    const pool = new Uint8Array(values.buffer);
    this.#pools.set(scale, pool);
    return pool;
  }
}

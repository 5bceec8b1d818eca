import type { GgufFile, GgufTensor } from '../gguf/gguf-file.ts';
import { ModelImportError } from '../model-import-error.ts';
import type { OnnxGraph } from '../onnx/onnx-graph.ts';
import { type ChoiceOptions, chooseProduct, type ProductChoice } from '../weights/choose-product.ts';
import { embeddingHead, embeddingLookup } from '../weights/embedding.ts';
import { halvesApart, type MatrixPart, WeightMatrix } from '../weights/weight-matrix.ts';
import { widestBlocks } from '../weights/wide-blocks.ts';
import type { DecoderDescription } from './decoder-description.ts';

/** Our matrices → the GGUF's tensors that make them up. */
const TENSOR_NAMES: Readonly<Record<string, string>> = {
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down',
};
const FUSED: Readonly<Record<string, readonly string[]>> = { qkv: ['q', 'k', 'v'], gate_up: ['gate', 'up'] };

/** The graph's bool that says whether a run has several tokens a row: prefill, whatever the batch. */
export const MANY_TOKENS = 'many_tokens';

interface ChosenMatrix extends ProductChoice {
  readonly matrix: WeightMatrix;
  readonly bias: Float32Array | null;
}

interface EmbeddingForm {
  readonly ropeDivisors: Float32Array | null;
  readonly dense: boolean;
  readonly tied: boolean;
  readonly ownHead: boolean;
}

/** The weights of a decoder, by the names that its graph uses, each with the way in which it is held. */
export class DecoderWeights {
  readonly vocabulary: number;
  readonly tied: boolean;
  /** How many matrices are held in which layout. */
  readonly layouts = new Map<string, number>();
  readonly #matrices = new Map<string, ChosenMatrix>();
  readonly #vectors = new Map<string, Float32Array>();
  /** [headSize / 2] of `rope_freqs.weight`, by which Llama 3's scaling divides frequencies; null where there are none. */
  readonly ropeDivisors: Float32Array | null;
  readonly #embedding: WeightMatrix;
  readonly #denseEmbedding: boolean;
  /** A tied head has weights of its own all the same, laid out another way. */
  readonly #ownHead: boolean;

  private constructor(embedding: WeightMatrix, { ropeDivisors, dense, tied, ownHead }: EmbeddingForm) {
    this.ropeDivisors = ropeDivisors;
    this.#embedding = embedding;
    this.#denseEmbedding = dense;
    this.#ownHead = ownHead;
    this.vocabulary = embedding.rows;
    this.tied = tied;
  }

  /** @throws ModelImportError for tensors that are missing, of the wrong size, or not understood */
  static async of(file: GgufFile, decoder: DecoderDescription, options: ChoiceOptions): Promise<DecoderWeights> {
    const tensors = new TensorPicker(file);
    const embedding = new WeightMatrix(file, [{ tensor: tensors.matrix('token_embd.weight', null, decoder.hidden) }]);
    const tied = !file.tensors.has('output.weight');
    const denseEmbedding = embedding.type.form === 'dense' && (!options.eightBitDense || embedding.columns % 32 !== 0);
    const ownHead = tied && !denseEmbedding && options.layout === 'quick';
    const ropeDivisors = await tensors.ropeDivisors(decoder.headSize / 2);
    const weights = new DecoderWeights(embedding, { ropeDivisors, dense: denseEmbedding, tied, ownHead });
    if (ownHead) weights.layouts.set('widest', 1);
    const choose = async (name: string, parts: readonly [MatrixPart, ...MatrixPart[]], bias: Float32Array | null) => {
      const matrix = new WeightMatrix(file, parts);
      weights.#add(name, { ...(await chooseProduct(file.path, name, matrix, options)), matrix, bias });
    };
    for (let layer = 0; layer < decoder.layers; layer++) await weights.#addLayer(file, decoder, tensors, layer, choose);
    weights.#vectors.set('final.norm', await tensors.vector('output_norm.weight', decoder.hidden));
    if (!tied)
      await choose('head', [{ tensor: tensors.matrix('output.weight', embedding.rows, decoder.hidden) }], null);
    tensors.refuseUnused(decoder.architecture);
    return weights;
  }

  get hasPrefillProducts(): boolean {
    return [...this.#matrices.values()].some(({ prefill }) => prefill !== null);
  }

  has(name: string): boolean {
    return this.#matrices.has(name) || this.#vectors.has(name);
  }

  vector(name: string): Float32Array {
    const vector = this.#vectors.get(name);
    if (vector === undefined) throw new TypeError(`no vector ${name}`);
    return vector;
  }

  embed(graph: OnnxGraph, ids: string): string {
    return embeddingLookup(graph, ids, this.#embedding, this.#denseEmbedding);
  }

  head(graph: OnnxGraph, value: string): string {
    if (this.#ownHead) return widestBlocks(graph, 'head', value, this.#embedding);
    return this.tied
      ? embeddingHead(graph, value, this.#embedding, this.#denseEmbedding)
      : this.project(graph, 'head', value);
  }

  /** value · matrixᵀ (+ bias) */
  project(graph: OnnxGraph, name: string, value: string): string {
    const chosen = this.#matrices.get(name);
    if (chosen === undefined) throw new TypeError(`no matrix ${name}`);
    const { prefill, matrix } = chosen;
    const decode = () => chosen.product(graph, name, value, matrix);
    const product =
      prefill === null
        ? decode()
        : graph.either(MANY_TOKENS, () => prefill(graph, `${name}.prefill`, value, matrix), decode);
    if (chosen.bias === null) return product;
    return graph.node('Add', [product, graph.constant(`${name}.bias`, 'float32', [chosen.bias.length], chosen.bias)]);
  }

  #add(name: string, chosen: ChosenMatrix): void {
    this.#matrices.set(name, chosen);
    this.layouts.set(chosen.layout, (this.layouts.get(chosen.layout) ?? 0) + 1);
  }

  async #addLayer(
    file: GgufFile,
    decoder: DecoderDescription,
    tensors: TensorPicker,
    layer: number,
    choose: (name: string, parts: readonly [MatrixPart, ...MatrixPart[]], bias: Float32Array | null) => Promise<void>,
  ): Promise<void> {
    const { architecture, hidden, feedForward, heads, kvHeads, headSize } = decoder;
    const blk = `blk.${layer}`;
    const rows: Record<string, number> = {
      q: heads * headSize,
      k: kvHeads * headSize,
      v: kvHeads * headSize,
      o: hidden,
      gate: feedForward,
      up: feedForward,
      down: hidden,
    };
    const columns: Record<string, number> = { o: heads * headSize, down: feedForward };
    const part = (piece: string): MatrixPart => {
      const tensor = tensors.matrix(
        `${blk}.${TENSOR_NAMES[piece]}.weight`,
        rows[piece] ?? null,
        columns[piece] ?? hidden,
      );
      // llama.cpp's converter interleaves the heads' halves for Llama; GroupQueryAttention wants them apart.
      const interleaved = architecture === 'llama' && (piece === 'q' || piece === 'k');
      return interleaved ? { tensor, interleavedHead: headSize } : { tensor };
    };
    const bias = async (piece: string): Promise<Float32Array | null> => {
      const name = `${blk}.${TENSOR_NAMES[piece]}.bias`;
      if (!file.tensors.has(name)) return null;
      const vector = await tensors.vector(name, rows[piece] ?? 0);
      if (architecture !== 'llama' || (piece !== 'q' && piece !== 'k')) return vector;
      return new Float32Array(halvesApart(new Uint8Array(vector.buffer), 4, headSize).buffer);
    };
    for (const group of ['qkv', 'o', 'gate_up', 'down']) {
      const pieces = FUSED[group] ?? [group];
      const [first, ...rest] = pieces.map(part);
      if (first === undefined) continue;
      const biases = await Promise.all(pieces.map(bias));
      if (rest.every(({ tensor }) => tensor.type === first.tensor.type)) {
        await choose(
          `layers.${layer}.${group}`,
          [first, ...rest],
          joined(
            biases,
            pieces.map((piece) => rows[piece] ?? 0),
          ),
        );
        continue;
      }
      for (const [index, piece] of pieces.entries())
        await choose(`layers.${layer}.${piece}`, [part(piece)], biases[index] ?? null);
    }
    this.#vectors.set(`layers.${layer}.input.norm`, await tensors.vector(`${blk}.attn_norm.weight`, hidden));
    this.#vectors.set(`layers.${layer}.post_attention.norm`, await tensors.vector(`${blk}.ffn_norm.weight`, hidden));
    if (architecture !== 'qwen3') return;
    for (const piece of ['q', 'k'])
      this.#vectors.set(
        `layers.${layer}.${piece}.norm`,
        await tensors.vector(`${blk}.attn_${piece}_norm.weight`, headSize),
      );
  }
}

/** The biases of fused matrices one after another, zeros where one has none; null when none has any. */
function joined(biases: readonly (Float32Array | null)[], lengths: readonly number[]): Float32Array | null {
  if (biases.every((bias) => bias === null)) return null;
  return Float32Array.from(biases.flatMap((bias, index) => [...(bias ?? new Float32Array(lengths[index] ?? 0))]));
}

/** Hands out tensors of the expected sizes and remembers which were asked for. */
class TensorPicker {
  readonly used = new Set<string>();
  readonly #file: GgufFile;

  constructor(file: GgufFile) {
    this.#file = file;
  }

  /** @param rows null where any number will do */
  matrix(name: string, rows: number | null, columns: number): GgufTensor {
    const tensor = this.#file.tensors.get(name);
    if (tensor === undefined) throw this.#wrong(`tensor ${name} is missing`);
    if (tensor.columns !== columns || (rows !== null && tensor.rows !== rows))
      throw this.#wrong(
        `tensor ${name} is [${tensor.rows}, ${tensor.columns}], expected [${rows ?? 'any'}, ${columns}]`,
      );
    this.used.add(name);
    return tensor;
  }

  async vector(name: string, length: number): Promise<Float32Array> {
    return this.#file.floats(this.matrix(name, 1, length));
  }

  async ropeDivisors(length: number): Promise<Float32Array | null> {
    const name = 'rope_freqs.weight';
    if (!this.#file.tensors.has(name)) return null;
    const divisors = await this.vector(name, length);
    const wrong = divisors.find((divisor) => !(divisor > 0 && Number.isFinite(divisor)));
    if (wrong !== undefined) throw this.#wrong(`tensor ${name} has the divisor ${wrong}, all must be above 0`);
    return divisors;
  }

  /** A tensor that nothing reads would be a part of the model that is left out. */
  refuseUnused(architecture: string): void {
    const left = [...this.#file.tensors.keys()].filter((name) => !this.used.has(name));
    if (left.length > 0)
      throw this.#wrong(
        `a ${architecture} model has no use for its tensors ${left.slice(0, 3).join(', ')}${left.length > 3 ? ` and ${left.length - 3} more` : ''}`,
      );
  }

  #wrong(problem: string): ModelImportError {
    return new ModelImportError(this.#file.path, problem, 'take another file, or an ONNX export of the model');
  }
}

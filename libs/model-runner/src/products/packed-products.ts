import type { Handle, OrtApi } from '../ort/ort-api.ts';
import { BLOCK, type BlockProductNode } from './block-product-nodes.ts';
import { FLOAT16 } from './constant-source.ts';
import { formWords, type ProductLibrary } from './product-library.ts';
import { TensorReader } from './tensor-reader.ts';

/** So many bytes of quanta are read and packed at a time. */
const CHUNK_BYTES = 4 << 20;
/** So many matrices are packed at a time: as many threads as Node has for such work. */
const AT_ONCE = 4;
/** Outputs that are packed together (`PANEL`). */
const PANEL = 32;
/** A matrix begins with a page, so that its panels begin with a line of the processor's caches. */
const ALIGNMENT = 4096n;

/** The weights of some products, packed in memory of their own; freed when nobody retains them any more. */
export class PackedProducts {
  readonly #library: ProductLibrary;
  readonly #memory: bigint;
  readonly #bytes: bigint;
  readonly #addresses: ReadonlyMap<BlockProductNode, bigint>;
  #holders = 1;

  private constructor(
    library: ProductLibrary,
    memory: bigint,
    bytes: bigint,
    addresses: ReadonlyMap<BlockProductNode, bigint>,
  ) {
    this.#library = library;
    this.#memory = memory;
    this.#bytes = bytes;
    this.#addresses = addresses;
  }

  /** Reads and packs the weights of these products. @throws when the system has no memory for them, or a file can not be read */
  static async pack(
    library: ProductLibrary,
    modelFile: string,
    nodes: readonly BlockProductNode[],
  ): Promise<PackedProducts> {
    // The system maps no memory of no bytes.
    let bytes = nodes.length === 0 ? ALIGNMENT : 0n;
    const offsets = nodes.map(({ form }) => {
      const at = bytes;
      bytes += ((library.packedBytes(formWords(form)) + ALIGNMENT - 1n) / ALIGNMENT) * ALIGNMENT;
      return at;
    });
    const memory = library.allocate(bytes);
    if (memory === null) throw new RangeError(`the system has no ${bytes} bytes for packed weights`);
    const addresses = new Map(nodes.map((node, i) => [node, memory + (offsets[i] ?? 0n)]));
    const products = new PackedProducts(library, memory, bytes, addresses);
    try {
      await using reader = new TensorReader(modelFile);
      const left = addresses.entries();
      const pack = async () => {
        for (const [node, address] of left) await packOne(library, reader, node, address);
      };
      // All of them end before the memory may be freed.
      const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, pack));
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
    } catch (error) {
      products.release();
      throw error;
    }
    return products;
  }

  get nodes(): Iterable<BlockProductNode> {
    return this.#addresses.keys();
  }

  get count(): number {
    return this.#addresses.size;
  }

  address(node: BlockProductNode): bigint {
    return this.#addresses.get(node) ?? 0n;
  }

  /** Lets a session that is opened with these options compute them. @throws OrtStatusError */
  register(sessionOptions: Handle, api: OrtApi): void {
    api.check('register', this.#library.register(sessionOptions, api.table));
  }

  retain(): void {
    this.#holders += 1;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#library.free(this.#memory, this.#bytes);
  }
}

async function packOne(library: ProductLibrary, reader: TensorReader, product: BlockProductNode, address: bigint) {
  const { form, quanta, scales, zeros, scaleEvery } = product;
  const { inputs, outputs, bits } = form;
  const rowBytes = (inputs * bits) / 8;
  const groups = inputs / BLOCK / scaleEvery;
  const scaleBytes = scales.tensor.dataType === FLOAT16 ? 2 : 4;
  const storedZeros = bits === 4 && !form.spread ? Math.ceil(groups / 2) : groups;
  const words = formWords(form);
  const rowsAtOnce = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes / PANEL)) * PANEL;
  for (let first = 0; first < outputs; first += rowsAtOnce) {
    const end = Math.min(outputs, first + rowsAtOnce);
    const rows = (size: number) => [first * size, end * size] as const;
    const quantaBytes = await reader.bytes(quanta.tensor, ...rows(rowBytes));
    const scaleTensor = await reader.bytes(scales.tensor, ...rows(groups * scaleBytes));
    const zeroBytes = zeros === null ? null : await reader.bytes(zeros, ...rows(storedZeros));
    await library.pack(
      words,
      Number(quanta.spreadHalves),
      BigInt(first),
      BigInt(end - first),
      BigInt(scaleEvery),
      quantaBytes,
      scales.factor === null ? scaleTensor : scaled(scaleTensor, scaleBytes, scales.factor),
      zeroBytes === null || storedZeros === groups ? zeroBytes : nibbles(zeroBytes, groups),
      address,
    );
  }
}

/** Float32, each rounded once as a Mul of the graph does. */
function scaled(bytes: Uint8Array, size: number, factor: number): Uint8Array {
  const values = size === 2 ? new Float16Array(bytes.buffer) : new Float32Array(bytes.buffer);
  return new Uint8Array(Float32Array.from(values, (value) => value * factor).buffer);
}

/** Rows of zero points of 4 bits, each row beginning with a byte, as bytes. */
function nibbles(bytes: Uint8Array, groups: number): Uint8Array {
  const rowBytes = Math.ceil(groups / 2);
  const rows = bytes.length / rowBytes;
  const out = new Uint8Array(rows * groups);
  for (let row = 0; row < rows; row++)
    for (let group = 0; group < groups; group++)
      out[row * groups + group] = ((bytes[row * rowBytes + (group >> 1)] ?? 0) >> (4 * (group & 1))) & 15;
  return out;
}

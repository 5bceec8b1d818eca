import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { type Handle, ortApi } from '../ort/ort-api.ts';

/** A matrix as the library's `Matrix` (native/block-product.h). */
export interface MatrixForm {
  /** K and N of MatMulNBits; K is a multiple of 32. */
  readonly inputs: number;
  readonly outputs: number;
  readonly bits: 4 | 8;
  /** Quanta of 4 bits that stand for 17 times their value. */
  readonly spread: boolean;
  /** Scales are float16, else float32. */
  readonly halfScales: boolean;
  /** Each block has its own zero point. */
  readonly zeroPoints: boolean;
}

/** Calls of the library; the address of a matrix form is that of an Int32Array as `formWords` makes it. */
export interface ProductLibrary {
  /** The instructions that its kernel uses: `AMX`, `AVX-512 VNNI`, `AVX-VNNI`, `AVX2` or `Neon dot products`. */
  readonly kernel: string;
  /** All of its kernels for this kind of machine, best first, whether the processor has their instructions or not. */
  readonly kernels: readonly string[];
  /** For tests: another kernel computes all products of the process from now on. @returns 0 where the processor has not its instructions */
  readonly useKernel: (name: string) => number;
  /** Makes the operator known to sessions that are opened with these options. @returns an OrtStatus, or null */
  readonly register: (sessionOptions: Handle, api: Handle) => Handle | null;
  readonly packedBytes: (form: Int32Array) => bigint;
  /** On another thread; what it is given must stay as it is until it settles. */
  readonly pack: (
    form: Int32Array,
    halves: number,
    first: bigint,
    count: bigint,
    scaleEvery: bigint,
    quanta: Uint8Array,
    scales: Uint8Array,
    zeros: Uint8Array | null,
    packed: Handle,
  ) => Promise<void>;
  /** What `LogitsKernels` of #contracts say, on rows of `count` logits. */
  readonly largestLogit: (logits: Float32Array, count: number) => number;
  readonly maskLogits: (to: Float32Array, logits: Float32Array, allowed: Int32Array, count: number) => void;
  readonly weighLogits: (
    logits: Float32Array,
    count: number,
    largest: number,
    inverseTemperature: number,
    lowest: number,
    rangeBuckets: number,
    exps: Float64Array,
    tokens: Int32Array,
    buckets: Uint16Array,
    mass: Float64Array,
    counts: Int32Array,
  ) => number;
  readonly tokensOfBucket: (
    tokens: Int32Array,
    buckets: Uint16Array,
    count: number,
    bucket: number,
    wanted: number,
    to: Int32Array,
  ) => void;
  readonly sortTokens: (tokens: Int32Array, count: number, logits: Float32Array) => void;
  readonly allocate: (bytes: bigint) => Handle | null;
  readonly free: (memory: Handle, bytes: bigint) => void;
}

let opened: ProductLibrary | string | undefined;

/** The library of products, or why there is none here: then ONNX Runtime's own kernels multiply. */
export function productLibrary(): ProductLibrary | string {
  opened ??= open();
  return opened;
}

/** Who multiplies with weights of few bits in blocks, and computes attention, on this machine's CPU, in a sentence. */
export function productsHere(): string {
  const library = productLibrary();
  return typeof library === 'string'
    ? `ONNX Runtime's kernels multiply with weights of 4 and 8 bits, and compute attention, because our library can not: ${library}`
    : `our own library multiplies with weights of 4 and 8 bits, and computes attention in float32 (${library.kernel})`;
}

/** The form as C lays it out: two int64 and four int32. */
export function formWords({ inputs, outputs, bits, spread, halfScales, zeroPoints }: MatrixForm): Int32Array {
  return Int32Array.of(inputs, 0, outputs, 0, bits, Number(spread), Number(halfScales), Number(zeroPoints));
}

/** Where the library for a kind of machine is committed: `linux-x64`, `linux-arm64`. */
export function libraryPath(kind: string): string {
  return fileURLToPath(new URL(`./native/${kind}/millrace-products.so`, import.meta.url));
}

function open(): ProductLibrary | string {
  const kind = `${process.platform}-${process.arch}`;
  const path = libraryPath(kind);
  if (!existsSync(path)) return `it is not built for ${kind}`;
  try {
    ortApi();
    const library = koffi.load(path);
    const kernel: string | null = library.func('const char *millrace_kernel()')();
    const kernels = kernelNames(library.func('const char *millrace_kernel_name(int index)'));
    if (kernel === null) return `it is made for ${kernels.join(' or ')}, which this processor does not have`;
    const packedBytes: (form: Int32Array) => number | bigint = library.func(
      'int64_t millrace_packed_bytes(const void *form)',
    );
    return {
      kernel,
      kernels,
      useKernel: library.func('int millrace_use_kernel(const char *name)'),
      register: library.func('void *millrace_register(void *options, void *api)'),
      packedBytes: (form) => BigInt(packedBytes(form)),
      pack: promisify(
        library.func(
          'void millrace_pack(const void *form, int halves, int64_t first, int64_t count, int64_t scaleEvery, const void *quanta, const void *scales, const void *zeros, void *packed)',
        ).async,
      ) as ProductLibrary['pack'],
      largestLogit: library.func('int millrace_largest_logit(const void *logits, int count)'),
      maskLogits: library.func(
        'void millrace_mask_logits(void *to, const void *logits, const void *allowed, int count)',
      ),
      weighLogits: library.func(
        'int millrace_weigh_logits(const void *logits, int count, double largest, double inverse, double lowest, int rangeBuckets, const void *exps, void *tokens, void *buckets, void *mass, void *counts)',
      ),
      tokensOfBucket: library.func(
        'void millrace_tokens_of_bucket(const void *tokens, const void *buckets, int count, int bucket, int wanted, void *to)',
      ),
      sortTokens: library.func('void millrace_sort_tokens(void *tokens, int count, const void *logits)'),
      allocate: library.func('void *millrace_allocate(size_t bytes)'),
      free: library.func('void millrace_free(void *memory, size_t bytes)'),
    };
  } catch (error) {
    return `it cannot be loaded: ${(error as Error).message}`;
  }
}

function kernelNames(nameOf: (index: number) => string | null): string[] {
  const names: string[] = [];
  for (let name = nameOf(0); name !== null; name = nameOf(names.length)) names.push(name);
  return names;
}

import type { CpuChoices, CpuProducts, ExecutionProvider } from '#contracts';
import { RunnerArgumentError } from './runner-argument-error.ts';

export interface OpenModelRunnerOptions {
  modelFile: string;
  /** Of an export in two graphs the one from tokens to embeddings, which is put in front of `modelFile` (decision 0055); in the same folder. */
  embeddingFile?: string | null;
  /** Sequences that can be in the cache at once. */
  slots: number;
  /** Further slots to keep sequences in that sit in none; 0 by default. */
  parkingSlots?: number;
  /** Tokens that each slot can hold; host memory is taken as they are used, a device's at once. */
  slotTokens: number;
  /**
   * Memory for keys and values of beginnings that sequences share, in blocks; 0 by default. It is where the cache is: host
   * memory is taken as it is used, a device's at once.
   */
  prefixCacheBytes?: number;
  /** Threads of a forward pass, the caller's among them; 0 takes one per core. */
  threads: number;
  /** How long an idle thread spins for the next operator before it sleeps; 100 µs by default, 0 for not at all. */
  spinUs?: number;
  /** `auto`: the C API, or the JS API where the library cannot be used. */
  binding: 'auto' | 'c-api' | 'js-api';
  /**
   * The first one that works on this machine is used; without any it is an error. The CPU by default. WebGPU's kernels
   * promise fewer equal bits than the others' (README.md).
   */
  providers?: readonly ExecutionProvider[];
  /** `auto`: the provider's own memory, which for the CPU is the host's. `device` keeps to the provider's allocator. */
  kvMemory?: 'auto' | 'device';
  /** Longest prompt chunk that is usual; longer ones work, and cost one allocation. */
  maxChunkTokens: number;
  /**
   * Parts of some layers each in which a prompt's chunk can be computed, with decode runs between them; 1 by default. 0 for as many as suit
   * the model. Only on the CPU through the C API, with the cache in place.
   */
  prefillParts?: number;
  /**
   * Most tokens of one slot whose logits are wanted at a time (`verification`); none by default. In host memory only, and not for graphs whose
   * runs give the last position's logits in an unknown way.
   */
  verifyTokens?: number;
  /**
   * They are verified only where that gives the bits of decode runs (`RunnerDescription.runInvariant`), and nothing is said where it does not;
   * false by default.
   */
  verifyInvariantly?: boolean;
  /**
   * Decode runs of up to so many rows are captured as CUDA graphs when the model is opened, and replayed (decision 0041); none by default. Where
   * they can not be, or give something else than plain runs, runs are plain. The first provider must be cuda; or cpu with `kvMemory: 'device'`,
   * where the same inputs at fixed addresses go through plain runs, for tests.
   */
  capturedRows?: number;
  /**
   * Who multiplies with weights of 4 or 8 bits in blocks, and computes attention in float32, on the CPU: our own library where it has a kernel for the processor (`auto`,
   * decisions 0047 and 0049), or ONNX Runtime's kernels always. Our kernels have the same bits on every processor, ONNX Runtime's others.
   */
  products?: CpuProducts;
  /**
   * What keys and values are kept as where our own library computes attention; `auto` as the graph has them. Anything but `auto` is refused where another attention is to keep them as something else.
   */
  kvType?: CpuChoices['kvType'];
  /**
   * With it, ONNX Runtime notes what each operator of every run takes, and writes it to `<profilePrefix>_<time>.json` (Chrome's trace format)
   * as the runner closes; runs take some per cent longer. Through the C API only.
   */
  profilePrefix?: string;
  /** Told why, when another provider, binding or kind of cache is used than the first choice. */
  onFallback?: (reason: string) => void;
}

/** @throws RunnerArgumentError */
export function assertRunnerOptions(options: OpenModelRunnerOptions): void {
  const { slots, slotTokens, parkingSlots = 0, verifyTokens = 0, capturedRows = 0 } = options;
  const counts = [
    ...([
      ['verifyTokens', verifyTokens, 0],
      ['slots', slots, 1],
    ] as const),
    ...([
      ['slotTokens', slotTokens, 1],
      ['parkingSlots', parkingSlots, 0],
    ] as const),
  ];
  for (const [name, count, least] of counts)
    if (!Number.isInteger(count) || count < least)
      throw new RunnerArgumentError(`${name} is ${count}; it must be ${least} or more.`);
  assertCapturable(capturedRows, options);
}

/** @throws RunnerArgumentError where captured runs are asked for and nothing could capture them */
function assertCapturable(capturedRows: number, { providers, binding, kvMemory }: OpenModelRunnerOptions): void {
  if (!Number.isInteger(capturedRows) || capturedRows < 0)
    throw new RunnerArgumentError(`capturedRows is ${capturedRows}; it must be 0 or more.`);
  const [first = 'cpu'] = providers ?? [];
  if (capturedRows === 0 || (binding !== 'js-api' && (first === 'cuda' || (first === 'cpu' && kvMemory === 'device'))))
    return;
  throw new RunnerArgumentError(
    `capturedRows is ${capturedRows}, but the first provider is ${first}, through ${binding}; it must be cuda, through auto or c-api.`,
  );
}

import { availableParallelism } from 'node:os';
import type { CpuChoices, CpuProducts, ExecutionProvider, ModelRunner } from '#contracts';
import { CApiSession } from './binding/c-api-session.ts';
import type { ChangedModel, SessionBinding } from './binding/session-binding.ts';
import { DEFAULT_SPIN_US } from './binding/session-config.ts';
import { changedModel } from './edits/changed-model.ts';
import { gatherInHugePages } from './gather-in-huge-pages.ts';
import { largeAllocationsApart } from './large-allocations-apart.ts';
import { modelForProvider } from './model-for-provider.ts';
import { ModelLoadError } from './model-load-error.ts';
import { openCaptured } from './open-captured.ts';
import { type OpenSessionOptions, openSession } from './open-session.ts';
import { OrtLibraryError } from './ort/ort-library-error.ts';
import { openParts } from './parts/open-parts.ts';
import { withProducts } from './products/with-products.ts';
import { provenRunner } from './proven-runner.ts';
import { ProviderUnavailableError } from './provider-unavailable-error.ts';
import { RunnerArgumentError } from './runner-argument-error.ts';
import { inspectModel } from './signature/inspect-model.ts';
import type { ModelSignature } from './signature/model-signature.ts';
import { severalPositions } from './signature/several-positions.ts';

/** Models that read less than this stay in the processor's caches, whatever their pages. */
const WORTH_GATHERING_BYTES = 64 << 20;
/** With more parts decode runs would wake more sessions' threads; with fewer layers there is nothing that takes long. */
const MOST_PARTS = 8;
const LAYERS_OF_PART = 5;

/** A session of the model, whose weights stay in its files. */
type OpenModelOptions = Omit<OpenSessionOptions, 'provider'> & { readonly model: ChangedModel };

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

/**
 * Opens a decoder with its cache. GroupQueryAttention models get the in-place cache when a self-test proves it right;
 * others, the copying one.
 * @throws ModelLoadError when the model cannot run here; OrtLibraryError or ProviderUnavailableError when what was asked
 * for cannot
 */
export async function openModelRunner(options: OpenModelRunnerOptions): Promise<ModelRunner> {
  const { verifyTokens = 0, capturedRows = 0, kvType = 'auto' } = options;
  if (!Number.isInteger(verifyTokens) || verifyTokens < 0)
    throw new RunnerArgumentError(`verifyTokens is ${verifyTokens}; it must be 0 or more.`);
  for (const name of ['slots', 'slotTokens'] as const)
    if (!Number.isInteger(options[name]) || options[name] < 1)
      throw new RunnerArgumentError(`${name} is ${options[name]}; it must be 1 or more.`);
  const { parkingSlots = 0 } = options;
  if (!Number.isInteger(parkingSlots) || parkingSlots < 0)
    throw new RunnerArgumentError(`parkingSlots is ${parkingSlots}; it must be 0 or more.`);
  assertCapturable(capturedRows, options);
  largeAllocationsApart();
  const inspected = await inspectModel(options.modelFile, options);
  const counting = verifyTokens === 0 ? inspected : severalPositions(inspected);
  const signature = signatureFor(inspected, options.slotTokens);
  if (signature.maxPositions !== null && options.slotTokens > signature.maxPositions)
    throw new ModelLoadError(
      options.modelFile,
      `slots of ${options.slotTokens} tokens are asked for, but it knows ${signature.maxPositions} positions; ask for fewer.`,
    );
  const fallbacks: string[] = [];
  const onFallback = (reason: string): void => {
    fallbacks.push(reason);
    options.onFallback?.(reason);
  };
  const noVerification = (reason: string) =>
    options.verifyInvariantly === true ? undefined : onFallback(`several tokens are not verified at a time: ${reason}`);
  if (typeof counting === 'string') noVerification(counting);
  const mayVerify = typeof counting !== 'string' && verifyTokens > 0;
  /** Where tokens may be verified: with the cache in the CPU's memory. A device's graph stays as it is. */
  const hostSignature =
    mayVerify && options.kvMemory !== 'device' ? signatureFor(counting, options.slotTokens) : signature;
  const sessionOf = async (form: ModelSignature): Promise<OpenModelOptions> => ({
    model: await changedModel(options.modelFile, form.edits),
    modelFor: (model, provider) => modelForProvider(model, form, provider),
    binding: options.binding,
    inputNames: [
      ...['input_ids', ...form.sideInputs.map((input) => input.kind)],
      ...[...form.cache, ...form.states].map((pair) => pair.past),
    ],
    outputNames: ['logits', ...[...form.cache, ...form.states].map((pair) => pair.present)],
    threads: options.threads === 0 ? availableParallelism() : options.threads,
    spinUs: options.spinUs ?? DEFAULT_SPIN_US,
    profilePrefix: options.profilePrefix,
    onFallback,
  });
  const providers = options.providers ?? ['cpu'];
  const residentBytes = process.memoryUsage.rss();
  const open = async (binding: SessionBinding, form: ModelSignature): Promise<ModelRunner> => {
    const loadedBytes = process.memoryUsage.rss() - residentBytes;
    if (binding.provider === 'cpu' && loadedBytes > WORTH_GATHERING_BYTES) void gatherInHugePages();
    try {
      const verifies = mayVerify && binding.provider === 'cpu' && options.kvMemory !== 'device';
      if (mayVerify && !verifies) noVerification("a device's cache is not made for it");
      const verifying = { ...options, verifyTokens: verifies ? verifyTokens : 0, capturedRows: 0 };
      return await provenRunner(binding, form, { ...verifying, onFallback, fallbacks });
    } catch (error) {
      await binding.close();
      throw error;
    }
  };
  if (capturedRows > 0) {
    const [provider = 'cpu'] = providers;
    const told = [...fallbacks];
    const tell = (reason: string) => told.push(reason);
    const captured = await openCaptured(signature, options.slotTokens, {
      session: async (form) =>
        new CApiSession({ ...(await sessionOf(form)), provider, capturesGraphs: provider === 'cuda' }),
      runner: (binding, form) =>
        provenRunner(binding, form, { ...options, verifyTokens: 0, onFallback: tell, fallbacks: told }),
    });
    if (typeof captured !== 'string') {
      for (const reason of told.slice(fallbacks.length)) options.onFallback?.(reason);
      return captured;
    }
    onFallback(`decode runs are not captured: ${captured}`);
  }
  const openOnCpu = async (cpuSession: OpenModelOptions): Promise<ModelRunner> => {
    const { prefillParts: asked = 1 } = options;
    const prefillParts = asked === 0 ? Math.min(MOST_PARTS, Math.floor(signature.layers / LAYERS_OF_PART)) : asked;
    const mayCut = options.binding !== 'js-api' && options.kvMemory !== 'device';
    if (prefillParts > 1 && mayCut && signature.sharesCache)
      try {
        return await open(await openParts(cpuSession, prefillParts, signature.cacheType), hostSignature);
      } catch (error) {
        // Without the library openSession finds another way, or says so itself.
        if (!(error instanceof ModelLoadError || error instanceof OrtLibraryError)) throw error;
        if (asked > 0) onFallback(`prompts are not computed in parts: ${error.message}`);
      }
    return open(await openSession({ ...cpuSession, provider: 'cpu' }), hostSignature);
  };
  /** On the first device that works here and has what the model needs; null where none has. */
  const openOnDevice = async (devices: readonly ExecutionProvider[], noneBehind: boolean) => {
    for (const [i, provider] of devices.entries()) {
      try {
        return await open(await openSession({ ...(await sessionOf(signature)), provider }), signature);
      } catch (error) {
        if (!(error instanceof ProviderUnavailableError) || (noneBehind && i === devices.length - 1)) throw error;
        onFallback(error.message);
      }
    }
    return null;
  };
  const onlyOnCpu = stateProviderProblem(signature);
  const beforeCpu = providers.indexOf('cpu');
  if (beforeCpu !== 0 && onlyOnCpu !== null) {
    if (beforeCpu < 0) throw new ModelLoadError(options.modelFile, `${onlyOnCpu}; add the provider cpu.`);
    onFallback(`the CPU is used: ${onlyOnCpu}`);
  } else {
    const onDevice = await openOnDevice(beforeCpu < 0 ? providers : providers.slice(0, beforeCpu), beforeCpu < 0);
    if (onDevice !== null) return onDevice;
  }
  const onCpu = await sessionOf(hostSignature);
  const mayOwn = options.products !== 'onnxruntime' && options.binding !== 'js-api';
  // Pieces of a cache in a device's memory are moved by graphs that know ONNX Runtime's order only.
  const ownKvType = options.kvMemory === 'device' ? null : kvType;
  const own = mayOwn ? await withProducts(onCpu.model, signature, ownKvType) : null;
  if (own === null) return openOnCpu(onCpu);
  try {
    return await openOnCpu({ ...onCpu, model: own });
  } finally {
    own.products.release();
  }
}

/** Null without states. */
function stateProviderProblem({ states: [first] }: ModelSignature): string | null {
  return first === undefined
    ? null
    : `its layers keep states ("${first.past}"), which are moved in the host's memory only`;
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

/**
 * Slots that are longer than the shorter of two rotary tables take the longer one for all their rows (LongRoPE), so that a
 * row's keys are all turned by one table, and never by what else is in the batch.
 */
function signatureFor(signature: ModelSignature, slotTokens: number): ModelSignature {
  const { maxPositions, longRotary, edits } = signature;
  if (longRotary === null || maxPositions === null || slotTokens <= maxPositions) return signature;
  return { ...signature, maxPositions: longRotary.maxPositions, edits: [...edits, longRotary.edit] };
}

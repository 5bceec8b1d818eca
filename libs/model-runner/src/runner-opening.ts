import { availableParallelism } from 'node:os';
import type { ExecutionProvider, ModelRunner } from '#contracts';
import { CApiSession } from './binding/c-api-session.ts';
import type { ChangedModel, SessionBinding } from './binding/session-binding.ts';
import { DEFAULT_SPIN_US } from './binding/session-config.ts';
import { changedModel } from './edits/changed-model.ts';
import { gatherInHugePages } from './gather-in-huge-pages.ts';
import { modelForProvider } from './model-for-provider.ts';
import { ModelLoadError } from './model-load-error.ts';
import { openCaptured } from './open-captured.ts';
import type { OpenModelRunnerOptions } from './open-model-runner-options.ts';
import { type OpenSessionOptions, openSession } from './open-session.ts';
import { OrtLibraryError } from './ort/ort-library-error.ts';
import { openParts } from './parts/open-parts.ts';
import { withProducts } from './products/with-products.ts';
import { provenRunner } from './proven-runner.ts';
import { ProviderUnavailableError } from './provider-unavailable-error.ts';
import type { ModelSignature } from './signature/model-signature.ts';
import { rotaryForSlots } from './signature/rotary-for-slots.ts';
import { severalPositions } from './signature/several-positions.ts';

/** Models that read less than this stay in the processor's caches, whatever their pages. */
const WORTH_GATHERING_BYTES = 64 << 20;
/** With more parts decode runs would wake more sessions' threads; with fewer layers there is nothing that takes long. */
const MOST_PARTS = 8;
const LAYERS_OF_PART = 5;

/** A session of the model, whose weights stay in its files. */
type OpenModelOptions = Omit<OpenSessionOptions, 'provider'> & { readonly model: ChangedModel };

/** The ways in which a model can be opened: captured runs, a device, the CPU. The first that works is the one. */
export class RunnerOpening {
  readonly #options: OpenModelRunnerOptions;
  readonly #signature: ModelSignature;
  /** With the cache in the CPU's memory, where tokens may be verified. A device's graph stays as it is. */
  readonly #hostSignature: ModelSignature;
  readonly #mayVerify: boolean;
  /** Why another way than the first choice is taken. */
  readonly #fallbacks: string[] = [];
  readonly #residentBytes = process.memoryUsage.rss();

  /** @throws ModelLoadError where slots are longer than what the model knows */
  constructor(options: OpenModelRunnerOptions, inspected: ModelSignature) {
    const { modelFile, slotTokens, verifyTokens = 0 } = options;
    this.#options = options;
    this.#signature = rotaryForSlots(inspected, slotTokens);
    const { maxPositions } = this.#signature;
    if (maxPositions !== null && slotTokens > maxPositions)
      throw new ModelLoadError(
        modelFile,
        `slots of ${slotTokens} tokens are asked for, but it knows ${maxPositions} positions; ask for fewer.`,
      );
    const counting = verifyTokens === 0 ? inspected : severalPositions(inspected);
    if (typeof counting === 'string') this.#noVerification(counting);
    this.#mayVerify = typeof counting !== 'string' && verifyTokens > 0;
    const verifiedOnHost = this.#mayVerify && typeof counting !== 'string' && options.kvMemory !== 'device';
    this.#hostSignature = verifiedOnHost ? rotaryForSlots(counting, slotTokens) : this.#signature;
  }

  /** With decode runs that are captured; null where none are asked for, or they have to be plain. */
  async captured(): Promise<ModelRunner | null> {
    const { capturedRows = 0, providers = [], slotTokens, onFallback } = this.#options;
    if (capturedRows === 0) return null;
    const [provider = 'cpu'] = providers;
    const told = [...this.#fallbacks];
    const tell = (reason: string) => told.push(reason);
    const runner = await openCaptured(this.#signature, slotTokens, {
      session: async (form) =>
        new CApiSession({ ...(await this.#session(form)), provider, capturesGraphs: provider === 'cuda' }),
      runner: (binding, form) =>
        provenRunner(binding, form, { ...this.#options, verifyTokens: 0, onFallback: tell, fallbacks: told }),
    });
    if (typeof runner === 'string') {
      this.#fallBack(`decode runs are not captured: ${runner}`);
      return null;
    }
    for (const reason of told.slice(this.#fallbacks.length)) onFallback?.(reason);
    return runner;
  }

  /**
   * On the first device that works here and has what the model needs; null where the CPU is named before, or is what is left.
   * @throws ModelLoadError, ProviderUnavailableError where the CPU is not named
   */
  async onDevice(): Promise<ModelRunner | null> {
    const { modelFile, providers = ['cpu'] } = this.#options;
    const cpuAt = providers.indexOf('cpu');
    if (cpuAt === 0) return null;
    const onlyOnCpu = stateProviderProblem(this.#signature);
    if (onlyOnCpu !== null) {
      if (cpuAt < 0) throw new ModelLoadError(modelFile, `${onlyOnCpu}; add the provider cpu.`);
      this.#fallBack(`the CPU is used: ${onlyOnCpu}`);
      return null;
    }
    const devices = cpuAt < 0 ? providers : providers.slice(0, cpuAt);
    for (const [index, provider] of devices.entries()) {
      const last = cpuAt < 0 && index === devices.length - 1;
      try {
        return await this.#runner(await this.#opened(this.#signature, provider), this.#signature);
      } catch (error) {
        if (!(error instanceof ProviderUnavailableError) || last) throw error;
        this.#fallBack(error.message);
      }
    }
    return null;
  }

  /** With our own products and attention where they are for this model and processor. */
  async onCpu(): Promise<ModelRunner> {
    const { products, binding, kvMemory, kvType = 'auto' } = this.#options;
    const session = await this.#session(this.#hostSignature);
    const mayOwn = products !== 'onnxruntime' && binding !== 'js-api';
    // Pieces of a cache in a device's memory are moved by graphs that know ONNX Runtime's order only.
    const ownKvType = kvMemory === 'device' ? null : kvType;
    const own = mayOwn ? await withProducts(session.model, this.#signature, ownKvType) : null;
    if (own === null) return this.#inParts(session);
    try {
      return await this.#inParts({ ...session, model: own });
    } finally {
      own.products.release();
    }
  }

  async #inParts(session: OpenModelOptions): Promise<ModelRunner> {
    const { prefillParts: asked = 1, binding, kvMemory } = this.#options;
    const { layers, sharesCache, cacheType } = this.#signature;
    const parts = asked === 0 ? Math.min(MOST_PARTS, Math.floor(layers / LAYERS_OF_PART)) : asked;
    if (parts > 1 && binding !== 'js-api' && kvMemory !== 'device' && sharesCache)
      try {
        return await this.#runner(await openParts(session, parts, cacheType), this.#hostSignature);
      } catch (error) {
        // Without the library openSession finds another way, or says so itself.
        if (!(error instanceof ModelLoadError || error instanceof OrtLibraryError)) throw error;
        if (asked > 0) this.#fallBack(`prompts are not computed in parts: ${error.message}`);
      }
    return this.#runner(await openSession({ ...session, provider: 'cpu' }), this.#hostSignature);
  }

  async #runner(binding: SessionBinding, form: ModelSignature): Promise<ModelRunner> {
    const { kvMemory, verifyTokens = 0 } = this.#options;
    const loadedBytes = process.memoryUsage.rss() - this.#residentBytes;
    if (binding.provider === 'cpu' && loadedBytes > WORTH_GATHERING_BYTES) void gatherInHugePages();
    try {
      const verifies = this.#mayVerify && binding.provider === 'cpu' && kvMemory !== 'device';
      if (this.#mayVerify && !verifies) this.#noVerification("a device's cache is not made for it");
      return await provenRunner(binding, form, {
        ...this.#options,
        verifyTokens: verifies ? verifyTokens : 0,
        capturedRows: 0,
        onFallback: (reason) => this.#fallBack(reason),
        fallbacks: this.#fallbacks,
      });
    } catch (error) {
      await binding.close();
      throw error;
    }
  }

  async #opened(form: ModelSignature, provider: ExecutionProvider): Promise<SessionBinding> {
    return openSession({ ...(await this.#session(form)), provider });
  }

  async #session(form: ModelSignature): Promise<OpenModelOptions> {
    const { modelFile, binding, threads, spinUs = DEFAULT_SPIN_US, profilePrefix } = this.#options;
    return {
      model: await changedModel(modelFile, form.edits),
      modelFor: (model, provider) => modelForProvider(model, form, provider),
      binding,
      inputNames: [
        ...['input_ids', ...form.sideInputs.map((input) => input.kind)],
        ...[...form.cache, ...form.states].map((pair) => pair.past),
      ],
      outputNames: ['logits', ...[...form.cache, ...form.states].map((pair) => pair.present)],
      threads: threads === 0 ? availableParallelism() : threads,
      spinUs,
      profilePrefix,
      onFallback: (reason) => this.#fallBack(reason),
    };
  }

  #noVerification(reason: string): void {
    if (this.#options.verifyInvariantly !== true)
      this.#fallBack(`several tokens are not verified at a time: ${reason}`);
  }

  #fallBack(reason: string): void {
    this.#fallbacks.push(reason);
    this.#options.onFallback?.(reason);
  }
}

/** Null without states. */
function stateProviderProblem({ states: [first] }: ModelSignature): string | null {
  return first === undefined
    ? null
    : `its layers keep states ("${first.past}"), which are moved in the host's memory only`;
}

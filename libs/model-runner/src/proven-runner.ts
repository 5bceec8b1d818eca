import type { CpuChoices, ExecutionProvider, KvType, ModelRunner } from '#contracts';
import { blocksHaveStates, KV_BLOCK_TOKENS, kvBytesOfToken } from '#contracts/ports';
import { deviceLack } from './binding/device-lack.ts';
import { DeviceScope } from './binding/device-scope.ts';
import type { DeviceAccess, SessionBinding } from './binding/session-binding.ts';
import { DeviceMemoryError } from './device-memory-error.ts';
import { ModelLoadError } from './model-load-error.ts';
import type { OpenModelRunnerOptions } from './open-model-runner-options.ts';
import { nativeLogitsKernels } from './products/native-logits-kernels.ts';
import { bytesOfBlock } from './runners/bytes-of-block.ts';
import type { CacheSize } from './runners/cache-size.ts';
import { CopyingRunner } from './runners/copying-runner.ts';
import { growingCacheProblem } from './runners/copying-self-test.ts';
import { DeviceKvCache } from './runners/device-kv-cache.ts';
import { HostKvCache } from './runners/host-kv-cache.ts';
import type { InPlaceCache } from './runners/in-place-cache.ts';
import { InPlaceRunner } from './runners/in-place-runner.ts';
import { INVARIANCE_TEST_SIZE, runsAgree } from './runners/invariance-self-test.ts';
import { kvLayout } from './runners/kv-layout.ts';
import { longestExactRun, TEST_PROMPT_TOKENS } from './runners/longest-exact-run.ts';
import { selectionProblem } from './runners/selection-self-test.ts';
import { SHARING_TEST_SIZE, sharingProblem } from './runners/sharing-self-test.ts';
import type { ModelSignature } from './signature/model-signature.ts';

/**
 * Where candidates of logits are selected in the memory of a device's cache: WebGPU knows no float64, so the sums would be made on the host, which
 * takes more of the bus than whole rows.
 */
const KEEPS_LOGITS: Readonly<Record<ExecutionProvider, boolean>> = { cuda: true, webgpu: false, cpu: true };

/**
 * The runner that a model on its device is right for, by self-tests on the model itself.
 * @throws ModelLoadError when there is none, the device has no memory for it, or it can not keep keys and values as it is asked to;
 * ProviderUnavailableError where the device lacks what the model needs
 */
export async function provenRunner(
  binding: SessionBinding,
  signature: ModelSignature,
  options: OpenModelRunnerOptions & {
    readonly onFallback: (reason: string) => void;
    readonly fallbacks: readonly string[];
  },
): Promise<ModelRunner> {
  const { slots, parkingSlots = 0, slotTokens, modelFile } = options;
  const onDevice = options.kvMemory === 'device' || binding.provider !== 'cpu';
  const layout = kvLayout(binding, signature);
  assertKvType(modelFile, options.kvType ?? 'auto', layout.type);
  const hasStates = signature.states.length > 0;
  if (hasStates && onDevice)
    throw new ModelLoadError(
      modelFile,
      `its layers keep states ("${signature.states[0]?.past}"), which are moved in the host's memory only; leave kvMemory at auto, and the provider at cpu.`,
    );
  const tokenBytes = kvBytesOfToken(signature, layout.type);
  const perBlock = bytesOfBlock(signature, layout);
  const blocks = blocksHaveStates(signature.stateBytes, tokenBytes)
    ? Math.floor((options.prefixCacheBytes ?? 0) / perBlock)
    : 0;
  const size: CacheSize = { slots, parkingSlots, slotTokens, blocks };
  if (binding.kind === 'js-api' && [signature.cacheType, signature.logits.type].includes('float16'))
    throw new ModelLoadError(
      modelFile,
      'it is in half precision, which the binding js-api can not carry; choose c-api.',
    );
  const logitsKernels = options.products === 'onnxruntime' ? null : nativeLogitsKernels();
  const verifiable = options.verifyInvariantly === true ? { ...options, verifyTokens: 0 } : options;
  const copying = { ...verifiable, logitsKernels };
  if (!signature.sharesCache || hasStates) {
    const growingProblem = await growingCacheProblem(binding, signature);
    if (growingProblem === null && !signature.sharesCache) return new CopyingRunner(binding, signature, size, copying);
    if (growingProblem !== null)
      throw new ModelLoadError(
        modelFile,
        `it cannot go on from its own cache: ${growingProblem}. Export it with GroupQueryAttention, or in another precision.`,
      );
  }
  const firstPassFailed = (cause: Error): never => {
    const lack = deviceLack(binding.provider, cause);
    if (lack !== null) throw lack;
    throw new ModelLoadError(modelFile, `its first forward pass failed: ${cause.message}`, { cause });
  };
  const device = onDevice ? binding.device : null;
  const cacheOf = (cacheSize: CacheSize, place: DeviceAccess | null): InPlaceCache =>
    place === null
      ? new HostKvCache(binding, signature, cacheSize)
      : new DeviceKvCache(binding, place, signature, cacheSize);
  const onCacheOf = async <Found>(cacheSize: CacheSize, test: (cache: InPlaceCache) => Promise<Found>) => {
    using scope = device === null ? null : new DeviceScope(device);
    return await test(cacheOf(cacheSize, scope)).catch(firstPassFailed);
  };
  /** The CPU's kernels are proven by the conformance suite; a device has those of its driver. */
  const longestRun = async (): Promise<number> => {
    const tokens = Math.min(TEST_PROMPT_TOKENS, signature.maxPositions ?? TEST_PROMPT_TOKENS);
    const length = await onCacheOf({ slots: 1, parkingSlots: 0, slotTokens: tokens }, (cache) =>
      longestExactRun(binding, signature, cache, tokens),
    );
    if (length < tokens)
      options.onFallback(`prompts are computed in runs of ${length} tokens, this device gets longer ones wrong`);
    return length;
  };
  /** Another's attention sums a query's keys in other orders, alone and among others. */
  const isRunInvariant = async (): Promise<boolean> => {
    if (onDevice || binding.ownCache === null || signature.rowsRunAlone) return false;
    const cache = new HostKvCache(binding, signature, INVARIANCE_TEST_SIZE);
    return await runsAgree(binding, signature, cache).catch(firstPassFailed);
  };
  try {
    const problem = binding.plainAttention
      ? null
      : await onCacheOf(SHARING_TEST_SIZE, (cache) => sharingProblem(binding, signature, cache));
    if (problem === null) {
      const maxRunTokens = binding.provider === 'cpu' ? Number.POSITIVE_INFINITY : await longestRun();
      const cache = cacheOf(size, device);
      const keepsLogits = cache.memory === 'device' && KEEPS_LOGITS[binding.provider] && !signature.rowsRunAlone;
      const runInvariant = await isRunInvariant();
      const verifyTokens = options.verifyInvariantly === true && !runInvariant ? 0 : options.verifyTokens;
      const limits = { verifyTokens, maxRunTokens, runInvariant, capturedRows: 0 };
      const runnerSize = { ...options, ...size, ...limits, logitsKernels };
      const runner = new InPlaceRunner(binding, signature, cache, {
        ...runnerSize,
        keepsLogits,
        capturedRows: options.capturedRows ?? 0,
      });
      const { deviceLogits } = runner;
      const wrong = deviceLogits === null ? null : await selectionProblem(runner, deviceLogits);
      if (wrong === null) return runner;
      runner.leave();
      options.onFallback(`logits come to the host whole, this device does not select right of them: ${wrong}`);
      return new InPlaceRunner(binding, signature, cache, runnerSize);
    }
    options.onFallback(`the copying cache is used, past and present cannot share memory: ${problem}`);
    return new CopyingRunner(binding, signature, size, copying);
  } catch (cause) {
    if (!(cause instanceof DeviceMemoryError)) throw cause;
    throw new ModelLoadError(
      modelFile,
      `${cause.message}, for a cache of ${slots + parkingSlots} slots of ${slotTokens} tokens and ${blocks} blocks of ${KV_BLOCK_TOKENS}; ` +
        'ask for fewer or shorter slots, or for a smaller prefix cache.',
      { cause },
    );
  }
}

/** @throws ModelLoadError where keys and values are to be kept as something that this attention can not */
function assertKvType(modelFile: string, asked: CpuChoices['kvType'], kept: KvType): void {
  if (asked === 'auto' || asked === kept) return;
  throw new ModelLoadError(
    modelFile,
    `its keys and values are asked for as ${asked} (MILLRACE_KV_TYPE), but its attention keeps them as ${kept}; leave it at auto. Only attention that our own ` +
      'library computes on the CPU can keep them as something else than the graph has (`millrace models inspect`).',
  );
}

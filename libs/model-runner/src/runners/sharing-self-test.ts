import type { SessionBinding } from '../binding/session-binding.ts';
import type { KvArray } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { CopyingRunner } from './copying-runner.ts';
import { HostKvCache } from './host-kv-cache.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { InPlaceRunner } from './in-place-runner.ts';
import { roundingScale } from './rounding-scale.ts';

const TEST_SLOTS = 2;
/** Of the cache that the test needs. */
export const SHARING_TEST_SIZE: CacheSize = { slots: TEST_SLOTS, parkingSlots: 0, slotTokens: 8 };
/**
 * The two runs take the same kernels; what differs when memory is not shared is not the last bits but everything. Half
 * precision rounds differently along the two ways through a device's kernels.
 */
const TOLERANCE = { float32: 1e-3, float16: 0.1, int8: 0.1 } as const;

/**
 * Proves on the model itself that a step with one buffer as past and present writes the new keys and values into it, in
 * the right places and nowhere else: the same two prompts and three decode steps are run with shared and with separate
 * buffers. Logits are compared after each, and so are caches in host memory; a wrong cache on a device shows in the
 * logits of the decode steps, which read all of it.
 * @param cache of `SHARING_TEST_SIZE`
 * @returns what differs, or null when sharing works
 */
export async function sharingProblem(
  binding: SessionBinding,
  signature: ModelSignature,
  cache: InPlaceCache,
): Promise<string | null> {
  const size = { ...SHARING_TEST_SIZE, maxChunkTokens: 4, maxRunTokens: Number.POSITIVE_INFINITY };
  const sharing = new InPlaceRunner(binding, signature, cache, size);
  const separate = new CopyingRunner(binding, signature, SHARING_TEST_SIZE);
  const token = (i: number) => (i * 7919 + 11) % signature.vocabularySize;
  const prompts = [Int32Array.from([1, 2, 3, 4], token), Int32Array.from([5, 6], token)];
  const decode = (step: number) => (runner: InPlaceRunner | CopyingRunner) =>
    runner.decode(
      TEST_SLOTS,
      Int32Array.from([7 + step, 8 + step], token),
      Int32Array.from(prompts, (prompt) => prompt.length + step),
    );
  const steps = [
    (runner: InPlaceRunner | CopyingRunner) => runner.prefill(1, prompts[1] ?? new Int32Array(), 0),
    (runner: InPlaceRunner | CopyingRunner) => runner.prefill(0, prompts[0] ?? new Int32Array(), 0),
    decode(0),
    decode(1),
    decode(2),
  ];
  const tolerance = TOLERANCE[cache.kvType];
  for (const [index, step] of steps.entries()) {
    await step(sharing);
    await step(separate);
    const difference = largestDifference(sharing.logits, separate.logits);
    if (!(difference <= tolerance * roundingScale(separate.logits)))
      return `logits of step ${index} differ by ${difference}`;
    const separateStates = separate.states.kept();
    for (const [i, kept] of sharing.states.kept().entries()) {
      const stateDifference = largestDifference(kept, separateStates[i] ?? new Float32Array());
      if (!(stateDifference <= tolerance))
        return `${signature.states[i]?.present} differs by ${stateDifference} after step ${index}`;
    }
    // Of quanta the last one may be another.
    if (!(cache instanceof HostKvCache) || cache.kvType === 'int8') continue;
    for (const [i, buffer] of cache.buffers.entries()) {
      const cacheDifference = largestDifference(buffer, separate.cacheBuffers[i] ?? new Float32Array());
      if (!(cacheDifference <= tolerance))
        return `${signature.cache[i]?.present} differs by ${cacheDifference} after step ${index}`;
    }
  }
  return null;
}

function largestDifference(a: KvArray, b: KvArray): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
    if (!(difference <= largest)) largest = difference; // NaN too
  }
  return largest;
}

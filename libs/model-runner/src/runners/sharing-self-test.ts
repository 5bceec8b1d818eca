import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { CopyingRunner } from './copying-runner.ts';
import { InPlaceRunner } from './in-place-runner.ts';

const TEST_SLOTS = 2;
const TEST_SLOT_TOKENS = 8;
/** The two runs take the same kernels; what differs when memory is not shared is not the last bits but everything. */
const TOLERANCE = 1e-3;

/**
 * Proves on the model itself that a step with one buffer as past and present writes the new keys and values into it, in
 * the right places and nowhere else: the same two prompts and decode step are run with shared and with separate buffers,
 * and logits and caches are compared.
 * @returns what differs, or null when sharing works
 */
export async function sharingProblem(binding: SessionBinding, signature: ModelSignature): Promise<string | null> {
  const sharing = new InPlaceRunner(binding, signature, {
    slots: TEST_SLOTS,
    slotTokens: TEST_SLOT_TOKENS,
    maxChunkTokens: 4,
  });
  const separate = new CopyingRunner(binding, signature, { slots: TEST_SLOTS, slotTokens: TEST_SLOT_TOKENS });
  const token = (i: number) => (i * 7919 + 11) % signature.vocabularySize;
  const prompts = [Int32Array.from([1, 2, 3, 4], token), Int32Array.from([5, 6], token)];
  const steps = [
    (runner: InPlaceRunner | CopyingRunner) => runner.prefill(1, prompts[1] ?? new Int32Array(), 0),
    (runner: InPlaceRunner | CopyingRunner) => runner.prefill(0, prompts[0] ?? new Int32Array(), 0),
    (runner: InPlaceRunner | CopyingRunner) =>
      runner.decode(
        TEST_SLOTS,
        Int32Array.from([7, 8], token),
        Int32Array.from(prompts, (prompt) => prompt.length),
      ),
  ];
  for (const [index, step] of steps.entries()) {
    await step(sharing);
    await step(separate);
    const difference = largestDifference(sharing.logits, separate.logits);
    if (!(difference <= TOLERANCE)) return `logits of step ${index} differ by ${difference}`;
    for (const [i, buffer] of sharing.cacheBuffers.entries()) {
      const cacheDifference = largestDifference(buffer, separate.cacheBuffers[i] ?? new Float32Array());
      if (!(cacheDifference <= TOLERANCE))
        return `${signature.cache[i]?.present} differs by ${cacheDifference} after step ${index}`;
    }
  }
  return null;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
    if (!(difference <= largest)) largest = difference; // NaN too
  }
  return largest;
}

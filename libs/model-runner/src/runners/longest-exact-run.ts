import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { InPlaceRunner } from './in-place-runner.ts';
import { roundingScale } from './rounding-scale.ts';

/** Longer than the tiles of every attention kernel that is known to pick its way by the length of a run. */
export const TEST_PROMPT_TOKENS = 150;
/** The reference: so short that kernels for prompts have no second tile. */
const SHORT_RUN_TOKENS = 8;
const CANDIDATES = [Number.POSITIVE_INFINITY, 31, 15];
const TOLERANCE = { float32: 1e-2, float16: 0.3 } as const;

/**
 * The longest runs that a device's attention gets right, by the model itself: one prompt in long runs against the same in
 * runs of eight tokens. Needed on WebGPU, whose flash attention has been wrong on adapters with unusual subgroups.
 * @param cache of one slot of `tokens`
 */
export async function longestExactRun(
  binding: SessionBinding,
  signature: ModelSignature,
  cache: InPlaceCache,
  tokens: number,
): Promise<number> {
  const prompt = Int32Array.from({ length: tokens }, (_, i) => (i * 7919 + 11) % signature.vocabularySize);
  const logitsInRunsOf = async (maxRunTokens: number): Promise<Float32Array> => {
    const size = { slots: 1, parkingSlots: 0, slotTokens: tokens, maxChunkTokens: tokens, maxRunTokens };
    const runner = new InPlaceRunner(binding, signature, cache, size);
    await runner.prefill(0, prompt, 0);
    return runner.logits;
  };
  const reference = await logitsInRunsOf(SHORT_RUN_TOKENS);
  const tolerance = TOLERANCE[signature.cacheType] * roundingScale(reference);
  for (const maxRunTokens of CANDIDATES) {
    const logits = await logitsInRunsOf(maxRunTokens);
    if (logits.every((logit, i) => Math.abs(logit - (reference[i] ?? 0)) <= tolerance)) return maxRunTokens;
  }
  return SHORT_RUN_TOKENS;
}

import type { SessionBinding } from '../binding/session-binding.ts';
import type { FloatArray, KvArray } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import type { HostKvCache } from './host-kv-cache.ts';
import { InPlaceRunner } from './in-place-runner.ts';

const TOKENS = 8;
/** Of the cache that the test needs. */
export const INVARIANCE_TEST_SIZE: CacheSize = { slots: 3, parkingSlots: 0, slotTokens: TOKENS };
/** Computed as a prompt; the others by decode runs of one and of two rows, and by a chunk of one token. */
const PROMPTS = [TOKENS, TOKENS - 3, TOKENS - 1] as const;

/**
 * Whether the model itself gives a token the same bits in whatever run it is computed. Attention is by its arithmetic; products in float32, of
 * which a single row takes another kernel in ONNX Runtime, and what else is in the graph show here.
 * @param cache of `INVARIANCE_TEST_SIZE`
 */
export async function runsAgree(
  binding: SessionBinding,
  signature: ModelSignature,
  cache: HostKvCache,
): Promise<boolean> {
  const size = { ...INVARIANCE_TEST_SIZE, maxChunkTokens: TOKENS, maxRunTokens: Number.POSITIVE_INFINITY };
  const runner = new InPlaceRunner(binding, signature, cache, size);
  const tokens = Int32Array.from({ length: TOKENS }, (_, i) => (i * 7919 + 11) % signature.vocabularySize);
  const logits: FloatArray[] = [];
  const keep = (row: number) =>
    logits.push(runner.logits.slice(row * signature.vocabularySize, (row + 1) * signature.vocabularySize));
  for (const [slot, length] of PROMPTS.entries()) {
    await runner.prefill(slot, tokens.subarray(0, length), 0);
    if (length === TOKENS) keep(0);
  }
  await runner.prefill(2, tokens.subarray(TOKENS - 1), TOKENS - 1);
  keep(0);
  runner.copySlot(1, 0, TOKENS - 3);
  await runner.decode(1, tokens.subarray(TOKENS - 3), Int32Array.of(TOKENS - 3));
  runner.copySlot(0, 1, TOKENS - 2);
  for (const past of [TOKENS - 2, TOKENS - 1])
    await runner.decode(2, Int32Array.of(tokens[past] ?? 0, tokens[past] ?? 0), Int32Array.of(past, past));
  keep(0);
  keep(1);
  return (
    logits.every((row) => row.every((value, i) => value === logits[0]?.[i])) &&
    [...cache.buffers, ...runner.states.kept()].every(slotsAgree)
  );
}

/** @param buffer [slots, …] */
function slotsAgree(buffer: KvArray): boolean {
  const length = buffer.length / INVARIANCE_TEST_SIZE.slots;
  return [1, 2].every((slot) => buffer.subarray(0, length).every((value, i) => value === buffer[slot * length + i]));
}

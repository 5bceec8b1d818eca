import { deviceLack } from '../binding/device-lack.ts';
import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { CopyingRunner } from './copying-runner.ts';

const TOKENS = Int32Array.of(1, 2, 3, 4, 5, 6, 7);
/** Rows of one step against rows of two: the same kernels in other shapes. */
const TOLERANCE = { float32: 1e-2, float16: 0.5 } as const;

/**
 * Runs a prompt whole and in two parts with a decode step after it, because some exports fail or go wrong as soon as several
 * tokens meet a past.
 * @returns what is wrong, or null when the model goes on from its own cache
 * @throws ProviderUnavailableError where the device lacks what the model needs
 */
export async function growingCacheProblem(binding: SessionBinding, signature: ModelSignature): Promise<string | null> {
  const runner = new CopyingRunner(binding, signature, { slots: 2, parkingSlots: 0, slotTokens: TOKENS.length });
  const tokens = TOKENS.map((token) => token % signature.vocabularySize);
  const { vocabularySize, rowsShareScales, cacheType } = signature;
  let doing = 'a whole prompt';
  try {
    await runner.prefill(0, tokens, 0);
    const whole = runner.logits.slice(0, vocabularySize);
    doing = 'a prompt in two parts';
    await runner.prefill(0, tokens.subarray(0, 3), 0);
    await runner.prefill(0, tokens.subarray(3, 6), 3);
    doing = 'a token after a past';
    await runner.decode(1, tokens.subarray(6), Int32Array.of(6));
    const difference = whole.reduce((most, value, i) => Math.max(most, Math.abs(value - (runner.logits[i] ?? 0))), 0);
    if (rowsShareScales || difference <= TOLERANCE[cacheType]) return null;
    return `the same prompt in parts gives logits that differ by ${difference}`;
  } catch (error) {
    const lack = error instanceof Error ? deviceLack(binding.provider, error) : null;
    if (lack !== null) throw lack;
    return `${doing} fails: ${error instanceof Error ? error.message : String(error)}`;
  }
}

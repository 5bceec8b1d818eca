import type { DecoderDescription } from './decoder-description.ts';

export interface RotaryTables {
  /** [positions, headSize / 2] */
  readonly cosine: Float32Array;
  /** [positions, headSize / 2] */
  readonly sine: Float32Array;
}

/**
 * Cosines and sines as GroupQueryAttention reads them, scaling included.
 * @param divisors [headSize / 2] of `rope_freqs.weight`, by which Llama 3's scaling divides frequencies
 */
export function rotaryTables(
  decoder: Pick<DecoderDescription, 'headSize' | 'positions' | 'ropeTheta' | 'ropeScaling'>,
  divisors: Float32Array | null,
): RotaryTables {
  const half = decoder.headSize / 2;
  const { frequencies, magnitude } = scaled(decoder, divisors);
  const cosine = new Float32Array(decoder.positions * half);
  const sine = new Float32Array(decoder.positions * half);
  for (let position = 0; position < decoder.positions; position++) {
    for (let i = 0; i < half; i++) {
      // float32 as in transformers, so that far positions turn by the same angle
      const angle = Math.fround(position * (frequencies[i] ?? 0));
      cosine[position * half + i] = magnitude * Math.cos(angle);
      sine[position * half + i] = magnitude * Math.sin(angle);
    }
  }
  return { cosine, sine };
}

function scaled(
  { headSize, ropeTheta, ropeScaling }: Pick<DecoderDescription, 'headSize' | 'ropeTheta' | 'ropeScaling'>,
  divisors: Float32Array | null,
): { frequencies: Float32Array; magnitude: number } {
  const { type, factor, originalPositions, attentionFactor, betaFast, betaSlow } = ropeScaling;
  const plain = Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const power = Math.fround(ropeTheta ** Math.fround((2 * i) / headSize));
    return Math.fround(1 / power) / (divisors?.[i] ?? 1);
  });
  if (type === 'none') return { frequencies: plain, magnitude: 1 };
  if (type === 'linear') return { frequencies: plain.map((frequency) => frequency / factor), magnitude: 1 };
  // YaRN (https://arxiv.org/abs/2309.00071, section 3.2): slow dimensions are interpolated, fast ones kept.
  const dimensionOf = (rotations: number) =>
    (headSize * Math.log(originalPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
  const low = Math.max(Math.floor(dimensionOf(betaFast)), 0);
  const high = Math.min(Math.ceil(dimensionOf(betaSlow)), headSize - 1);
  const frequencies = plain.map((frequency, i) => {
    const interpolated = Math.min(Math.max((i - low) / Math.max(high - low, 0.001), 0), 1);
    return (frequency / factor) * interpolated + frequency * (1 - interpolated);
  });
  return { frequencies, magnitude: attentionFactor * (1 + 0.1 * Math.log(factor)) };
}

import type { DecoderDescription } from '../../libs/models/src/import/decoder/decoder-description.ts';

/** A decoder's sizes as real models have them; its weights are random (`RandomWeights`) and its head is its own. */
export interface RandomShape extends DecoderDescription {
  readonly vocabulary: number;
}

const COMMON = {
  architecture: 'llama',
  positions: 4_096,
  normEpsilon: 1e-6,
  ropeTheta: 10_000,
  ropeScaling: { type: 'none', factor: 1, originalPositions: 0, attentionFactor: 1, betaFast: 32, betaSlow: 1 },
} as const;

function shape(
  name: string,
  sizes: Pick<RandomShape, 'hidden' | 'feedForward' | 'layers' | 'heads' | 'kvHeads' | 'headSize' | 'vocabulary'>,
): RandomShape {
  return { ...COMMON, name, ...sizes };
}

/** `tiny` tries things; the others are the sizes of Qwen2.5-0.5B, Qwen2.5-1.5B and Llama-3.1-8B. */
export const RANDOM_SHAPES: Readonly<Record<string, RandomShape>> = Object.fromEntries(
  [
    shape('tiny', {
      hidden: 64,
      feedForward: 128,
      layers: 2,
      heads: 4,
      kvHeads: 2,
      headSize: 16,
      vocabulary: 8_192,
    }),
    shape('0.5b', {
      hidden: 896,
      feedForward: 4_864,
      layers: 24,
      heads: 14,
      kvHeads: 2,
      headSize: 64,
      vocabulary: 151_936,
    }),
    shape('1.5b', {
      hidden: 1_536,
      feedForward: 8_960,
      layers: 28,
      heads: 12,
      kvHeads: 2,
      headSize: 128,
      vocabulary: 151_936,
    }),
    shape('8b', {
      hidden: 4_096,
      feedForward: 14_336,
      layers: 32,
      heads: 32,
      kvHeads: 8,
      headSize: 128,
      vocabulary: 128_256,
    }),
  ].map((each) => [each.name, each]),
);

/** @throws Error naming what was asked for and what there is */
export function randomShape(name: string): RandomShape {
  const found = RANDOM_SHAPES[name];
  if (found === undefined) throw new Error(`no shape "${name}"; there are ${Object.keys(RANDOM_SHAPES).join(', ')}`);
  return found;
}

/** Output rows and input columns of each matrix of a layer. */
export function layerMatrices(shape: RandomShape): Readonly<Record<string, readonly [rows: number, columns: number]>> {
  const { hidden, feedForward, heads, kvHeads, headSize } = shape;
  return {
    qkv: [(heads + 2 * kvHeads) * headSize, hidden],
    o: [hidden, heads * headSize],
    gate: [feedForward, hidden],
    up: [feedForward, hidden],
    down: [hidden, feedForward],
  };
}

const HALF_BYTES = 2;

/**
 * Bytes that a decode step can not do without in float16: every matrix once, of the embedding a row for each sequence, and each sequence's
 * keys and values.
 */
export function decodeStepBytes(shape: RandomShape, rows: number, contextTokens: number): number {
  const { hidden, layers, kvHeads, headSize, vocabulary } = shape;
  const ofLayer = Object.values(layerMatrices(shape)).reduce((sum, [out, columns]) => sum + out * columns, 0);
  const weights = layers * ofLayer + vocabulary * hidden + rows * hidden;
  const cache = rows * contextTokens * layers * 2 * kvHeads * headSize;
  return HALF_BYTES * (weights + cache);
}

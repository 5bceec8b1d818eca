import type { SamplingDefaults, SamplingParameters } from '#contracts';

/** What a request says of sampling. Null is what the model's makers recommend, else what changes nothing. */
export type RequestedSampling = Omit<SamplingParameters, 'seed' | keyof SamplingDefaults> & {
  readonly [Field in keyof SamplingDefaults]-?: number | null;
} & {
  /** Null draws one. */
  readonly seed: number | null;
};

/** The whole distribution, as the model has it. */
const UNCHANGED = { temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 };

/** @param recommended by the model's makers */
export function samplingOf(
  requested: RequestedSampling,
  recommended: SamplingDefaults | undefined,
  drawSeed: () => number,
): SamplingParameters {
  const defaults = { ...UNCHANGED, ...recommended };
  return {
    ...requested,
    temperature: requested.temperature ?? defaults.temperature,
    topP: requested.topP ?? defaults.topP,
    topK: requested.topK ?? defaults.topK,
    minP: requested.minP ?? defaults.minP,
    repetitionPenalty: requested.repetitionPenalty ?? defaults.repetitionPenalty,
    seed: requested.seed ?? drawSeed(),
  };
}

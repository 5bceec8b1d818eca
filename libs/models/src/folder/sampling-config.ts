import { z } from 'zod';
import type { SamplingDefaults } from '#contracts';

/** A nucleus this small holds the most likely token only, which is what 0 means. */
const SMALLEST_TOP_P = 1e-9;

/** The fields of generation_config.json that say how to sample, in the ranges that requests have; null says nothing. */
export const SAMPLING_FIELDS = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(-1).max(1_000_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().min(0.01).max(2).nullish(),
};
const SamplingConfig = z.object(SAMPLING_FIELDS);

/**
 * What generation_config.json recommends. `do_sample` is not looked at, as vLLM does not: files that leave it out or say
 * false recommend a temperature all the same.
 */
export function samplingDefaultsOf(config: z.infer<typeof SamplingConfig> | null): SamplingDefaults {
  const { temperature, top_p: topP, top_k: topK, min_p: minP, repetition_penalty: repetitionPenalty } = config ?? {};
  return {
    ...(temperature != null && { temperature }),
    ...(topP != null && { topP: Math.max(topP, SMALLEST_TOP_P) }),
    ...(topK != null && { topK: Math.max(topK, 0) }),
    ...(minP != null && { minP }),
    ...(repetitionPenalty != null && { repetitionPenalty }),
  };
}

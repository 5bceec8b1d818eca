import type { z } from 'zod';
import { SamplingParameters } from './sampling-parameters.ts';

/** What a model's makers recommend for requests that do not say; a field is absent where they recommend nothing. */
export const SamplingDefaults = SamplingParameters.pick({
  temperature: true,
  topP: true,
  topK: true,
  minP: true,
  repetitionPenalty: true,
}).partial();
export type SamplingDefaults = z.infer<typeof SamplingDefaults>;

import { z } from 'zod';

/**
 * How tokens are chosen. Applied in this order: constraint and limits (see `OutputConstraint`, `TokenLimits`), logit bias, repetition penalty, presence and frequency penalty,
 * temperature, top-k, top-p, min-p, draw. `temperature: 0` is greedy: the most likely token after bias and penalties.
 */
export const SamplingParameters = z.strictObject({
  temperature: z.number().min(0).max(2),
  topP: z.number().gt(0).max(1),
  /** 0 keeps all tokens. */
  topK: z.int().min(0),
  minP: z.number().min(0).max(1),
  presencePenalty: z.number().min(-2).max(2),
  frequencyPenalty: z.number().min(-2).max(2),
  /** 1 changes nothing; counts prompt and generated tokens (Keskar et al. 2019). */
  repetitionPenalty: z.number().gt(0).max(2),
  /** [token id, bias added to its logit] */
  logitBias: z.array(z.tuple([z.int().min(0), z.number().min(-100).max(100)])),
  /** Noise is a pure function of (seed, choice, token position): the same on every worker. */
  seed: z.int(),
});
export type SamplingParameters = z.infer<typeof SamplingParameters>;

/** Greedy decoding without any penalty: the base that tests and defaults start from. */
export const GREEDY: Readonly<SamplingParameters> = Object.freeze({
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  logitBias: [],
  seed: 0,
});

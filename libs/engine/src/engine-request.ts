import type { SamplingParameters, StopConditions } from '#contracts';

/** One request as the engine takes it: plain data that can be posted to the engine's thread. */
export interface EngineRequest {
  readonly requestId: string;
  readonly epoch: number;
  readonly promptTokenIds: Int32Array;
  /** Number of sequences to generate from the one prompt. */
  readonly choices: number;
  readonly sampling: SamplingParameters;
  readonly stop: StopConditions;
  /** Alternatives per token besides the chosen one; null when no log probabilities are wanted. */
  readonly topLogprobs: number | null;
}

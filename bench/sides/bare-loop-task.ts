/** What a side of the suite `engine` is asked to do. */
export type BareLoopTask =
  /** One time for each step of `rows` rows behind `pastTokens` tokens and more. */
  | {
      readonly kind: 'decode';
      readonly rows: number;
      readonly pastTokens: number;
      readonly steps: number;
      /** The engine draws tokens, each row with a seed of its own; greedy without it. The bare loop takes the largest logit always. */
      readonly drawn?: { readonly temperature: number; readonly topP: number };
    }
  /** One time for all prompts together, until the last one's logits. */
  | { readonly kind: 'prefill'; readonly prompts: number; readonly promptTokens: number };

/** One number of bytes between host and device memory for each step of a device's runner. */
export interface TransfersTask {
  readonly kind: 'transfers';
  readonly rows: number;
  readonly pastTokens: number;
  readonly steps: number;
}

/** Best tokens of `rows` rows behind prompts of up to `pastTokens` tokens, row by row for each step, and what the runs were. */
export interface TokensTask {
  readonly kind: 'tokens';
  readonly rows: number;
  readonly pastTokens: number;
  readonly steps: number;
}

export interface StepTokens {
  readonly tokens: readonly number[];
  /** Null where no runs are captured. */
  readonly graphReplays: number | null;
  readonly fallbacks: readonly string[];
}

/** Prompt tokens of a run, on every side. */
export const BENCH_CHUNK_TOKENS = 128;

export const benchPrompt = (tokens: number, id: number): Int32Array =>
  Int32Array.from({ length: tokens }, (_, i) => (i * 37 + id * 101 + 300) % 4_000);

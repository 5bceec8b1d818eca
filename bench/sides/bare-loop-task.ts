/** What a side of the suite `engine` is asked to do. */
export type BareLoopTask =
  /** One time for each step of `rows` rows behind `pastTokens` tokens and more. */
  | { readonly kind: 'decode'; readonly rows: number; readonly pastTokens: number; readonly steps: number }
  /** One time for all prompts together, until the last one's logits. */
  | { readonly kind: 'prefill'; readonly prompts: number; readonly promptTokens: number };

/** One number of bytes between host and device memory for each step of a device's runner. */
export interface TransfersTask {
  readonly kind: 'transfers';
  readonly rows: number;
  readonly pastTokens: number;
  readonly steps: number;
}

/** Prompt tokens of a run, on every side. */
export const BENCH_CHUNK_TOKENS = 128;

export const benchPrompt = (tokens: number, id: number): Int32Array =>
  Int32Array.from({ length: tokens }, (_, i) => (i * 37 + id * 101 + 300) % 4_000);

import { MIN_PREFILL_CHUNK_TOKENS } from './prefill-chunk.ts';

export interface PrefillPaceOptions {
  /** Most prompt tokens between two decode runs. */
  readonly maxTokens: number;
  /**
   * How many times as long as its run a row's next token may take while prompts are computed beside it; 0 for as long as
   * `maxTokens` take.
   */
  readonly stretch: number;
}

/** So much of each new reading; a single long step, when another process had the core, decides nothing. */
const NEW_SHARE = 0.2;
/** Readings of runs vary; what is aimed at is so much of what is allowed. */
const AIM = 0.75;
/** Answers that come this quickly look the same to their readers; prompts of small models need not crawl for them. */
const LEAST_PREFILL_MS = 8;
/** Chunks of fewer tokens do not use the processor better than decode runs do. */
const LEAST_TOKENS = 4;
/** Lengths that attention's tiles divide evenly. */
const STEP_TOKENS = 8;

/**
 * How many prompt tokens are computed between two decode runs: as many as keep the time between a running answer's tokens
 * within a multiple of the time of a decode run, measured on what runs just now.
 */
export class PrefillPace {
  readonly #maxTokens: number;
  readonly #stretch: number;
  #decodeMs: number | null = null;
  #msPerToken: number | null = null;

  constructor({ maxTokens, stretch }: PrefillPaceOptions) {
    this.#maxTokens = maxTokens;
    this.#stretch = stretch;
  }

  /** A decode run of the rows that sit now took so long. */
  decoded(ms: number): void {
    this.#decodeMs = mixed(this.#decodeMs, ms);
  }

  /** A chunk took so long. */
  prefilled(tokens: number, ms: number): void {
    this.#msPerToken = mixed(this.#msPerToken, ms / tokens);
  }

  /** Prompt tokens that may be computed before the next decode run; at least the smallest chunk. */
  budgetTokens(): number {
    if (this.#stretch === 0 || this.#decodeMs === null || this.#msPerToken === null) return this.#maxTokens;
    const allowedMs = Math.max(LEAST_PREFILL_MS, (this.#stretch - 1) * this.#decodeMs * AIM);
    const tokens = allowedMs / this.#msPerToken;
    const whole = tokens >= 2 * STEP_TOKENS ? tokens - (tokens % STEP_TOKENS) : tokens;
    return Math.max(MIN_PREFILL_CHUNK_TOKENS, LEAST_TOKENS, Math.min(this.#maxTokens, Math.floor(whole)));
  }
}

function mixed(before: number | null, reading: number): number {
  return before === null ? reading : before + NEW_SHARE * (reading - before);
}

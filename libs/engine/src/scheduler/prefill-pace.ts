import { nextPrefillChunk } from './prefill-chunk.ts';
import { PrefillCost } from './prefill-cost.ts';

export interface PrefillPaceOptions {
  /** Most prompt tokens between two decode runs. */
  readonly maxTokens: number;
  /**
   * How many times as long as its run a row's next token may take while prompts are computed beside it; 0 for as long as
   * `maxTokens` take.
   */
  readonly stretch: number;
}

/** So much of each new reading of a decode run. */
const NEW_SHARE = 0.2;
/** A single long run, when another process had the core, decides nothing. */
const MOST_SURPRISE = 2;
/** Readings of runs vary; what is aimed at is so much of what is allowed. */
const AIM = 0.75;
/** Answers that come this quickly look the same to their readers; prompts of small models need not crawl for them. */
const LEAST_PREFILL_MS = 8;
/** Chunks of fewer tokens do not use the processor better than decode runs do. */
const LEAST_TOKENS = 4;
/** Lengths that the kernels' tiles divide evenly. */
const STEP_TOKENS = 4;

/**
 * How much of a prompt is computed between two decode runs: as much as keeps the time between a running answer's tokens
 * within a multiple of the time of a decode run, by what runs took until now.
 */
export class PrefillPace {
  readonly #maxTokens: number;
  readonly #stretch: number;
  readonly #cost = new PrefillCost();
  #decodeMs: number | null = null;
  /** What may still be computed before the next decode run. */
  #tokensLeft: number;
  #msLeft = Number.POSITIVE_INFINITY;

  constructor({ maxTokens, stretch }: PrefillPaceOptions) {
    this.#maxTokens = maxTokens;
    this.#stretch = stretch;
    this.#tokensLeft = maxTokens;
  }

  /** A decode run of the rows that sit now took so long. */
  decoded(ms: number): void {
    const before = this.#decodeMs;
    this.#decodeMs = before === null ? ms : before + NEW_SHARE * (Math.min(ms, MOST_SURPRISE * before) - before);
  }

  /** A chunk behind so many tokens took so long. */
  prefilled(tokens: number, pastTokens: number, ms: number): void {
    this.#cost.learn(tokens, pastTokens, ms);
  }

  /** A decode run is next: what may be computed after it is as much as ever. */
  beginDecode(): void {
    this.#tokensLeft = this.#maxTokens;
    this.#msLeft = this.#allowedMs;
  }

  /**
   * Size of a prompt's next chunk, 0 when rows that wait come first. The first after a decode run is never 0: where attention
   * over a long past alone takes longer than is allowed, it is the smallest one.
   * @param remainingTokens of the prompt, ≥ 1
   */
  nextChunk(remainingTokens: number, pastTokens: number, rowsWait: boolean): number {
    const chunkTokens = nextPrefillChunk(remainingTokens, rowsWait ? this.#mostTokens(pastTokens) : this.#maxTokens);
    const ms = this.#cost.known ? this.#cost.msOf(chunkTokens, pastTokens) : 0;
    const first = this.#tokensLeft === this.#maxTokens;
    if (rowsWait && !first && (chunkTokens > this.#tokensLeft || ms > this.#msLeft)) return 0;
    this.#tokensLeft -= chunkTokens;
    this.#msLeft -= ms;
    return chunkTokens;
  }

  get #allowedMs(): number {
    if (this.#stretch === 0 || this.#decodeMs === null) return Number.POSITIVE_INFINITY;
    return Math.max(LEAST_PREFILL_MS, (this.#stretch - 1) * this.#decodeMs * AIM);
  }

  #mostTokens(pastTokens: number): number {
    const allowedMs = this.#allowedMs;
    if (allowedMs === Number.POSITIVE_INFINITY || !this.#cost.known) return this.#maxTokens;
    const tokens = Math.floor(this.#cost.tokensWithin(allowedMs, pastTokens));
    const whole = tokens - (tokens % STEP_TOKENS);
    return Math.min(this.#maxTokens, Math.max(LEAST_TOKENS, whole));
  }
}

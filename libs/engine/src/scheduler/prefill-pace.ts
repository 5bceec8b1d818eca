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
/**
 * Decode runs that a chunk may last whose tenant is due more seats than it has. With two thirds of the time for it, a prompt that
 * takes P alone has its first token within 1.5 P and two decode runs: the one that it meets, and one for every two of P.
 */
const DUE_DECODE_RUNS = 2;
/** Answers that come this quickly look the same to their readers; prompts of small models need not crawl for them. */
const LEAST_PREFILL_MS = 8;
/** Chunks of fewer tokens do not use the processor better than decode runs do. */
const LEAST_TOKENS = 4;
/** Lengths that the kernels' tiles divide evenly. */
const STEP_TOKENS = 4;

interface Budget {
  tokensLeft: number;
  msLeft: number;
}

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
  readonly #budget: Budget;
  /** The same for tenants that are due more seats than they have: they do not wait for what others' prompts have taken. */
  readonly #dueBudget: Budget;

  constructor({ maxTokens, stretch }: PrefillPaceOptions) {
    this.#maxTokens = maxTokens;
    this.#stretch = stretch;
    this.#budget = { tokensLeft: maxTokens, msLeft: Number.POSITIVE_INFINITY };
    this.#dueBudget = { ...this.#budget };
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
    for (const [budget, due] of [
      [this.#budget, false],
      [this.#dueBudget, true],
    ] as const) {
      budget.tokensLeft = this.#maxTokens;
      budget.msLeft = this.#allowedMs(due);
    }
  }

  /**
   * Size of a prompt's next chunk, 0 when rows that wait come first. The first after a decode run is never 0: where attention
   * over a long past alone takes longer than is allowed, it is the smallest one.
   * @param remainingTokens of the prompt, ≥ 1
   * @param due its tenant is due more seats than it has
   */
  nextChunk(remainingTokens: number, pastTokens: number, rowsWait: boolean, due = false): number {
    const mostTokens = rowsWait ? this.#mostTokens(pastTokens, due) : this.#maxTokens;
    const chunkTokens = nextPrefillChunk(remainingTokens, mostTokens);
    const ms = this.#cost.known ? this.#cost.msOf(chunkTokens, pastTokens) : 0;
    const budget = due ? this.#dueBudget : this.#budget;
    const first = budget.tokensLeft === this.#maxTokens;
    if (rowsWait && !first && (chunkTokens > budget.tokensLeft || ms > budget.msLeft)) return 0;
    budget.tokensLeft -= chunkTokens;
    budget.msLeft -= ms;
    return chunkTokens;
  }

  #allowedMs(due: boolean): number {
    if (this.#stretch === 0 || this.#decodeMs === null) return Number.POSITIVE_INFINITY;
    const runs = (this.#stretch - 1) * AIM;
    return Math.max(LEAST_PREFILL_MS, (due ? Math.max(runs, DUE_DECODE_RUNS) : runs) * this.#decodeMs);
  }

  #mostTokens(pastTokens: number, due: boolean): number {
    const allowedMs = this.#allowedMs(due);
    if (allowedMs === Number.POSITIVE_INFINITY || !this.#cost.known) return this.#maxTokens;
    const tokens = Math.floor(this.#cost.tokensWithin(allowedMs, pastTokens));
    const whole = tokens - (tokens % STEP_TOKENS);
    return Math.min(this.#maxTokens, Math.max(LEAST_TOKENS, whole));
  }
}

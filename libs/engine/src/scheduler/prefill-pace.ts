import { nextPrefillChunk } from './prefill-chunk.ts';
import { PrefillCost } from './prefill-cost.ts';

export interface PrefillPaceOptions {
  /** Most prompt tokens between two decode runs, and of a chunk. */
  readonly maxTokens: number;
  /**
   * How many times as long as its run a row's next token may take while prompts are computed beside it; 0 for as long as
   * `maxTokens` take.
   */
  readonly stretch: number;
  /** Parts in which a chunk can be computed; 1 by default. */
  readonly parts?: number;
  /** What may always be computed: answers that come this quickly look the same to their readers, and prompts of small models need not crawl. 8 by default. */
  readonly leastMs?: number;
}

/** A prompt's next tokens, computed in one run or in several parts of it with decode runs between them. */
export interface PrefillChunk {
  readonly tokens: number;
  readonly parts: number;
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
const LEAST_PREFILL_MS = 8;
/** Chunks of fewer tokens do not use the processor better than decode runs do. */
const LEAST_TOKENS = 4;
/** Lengths that the kernels' tiles divide evenly. */
const STEP_TOKENS = 4;

interface Budget {
  /** Something was computed since the last decode run. */
  begun: boolean;
  tokensLeft: number;
  msLeft: number;
}

/**
 * How much of a prompt is computed between two decode runs: as much as keeps the time between a running answer's tokens
 * within a multiple of the time of a decode run, by what runs took until now. Where chunks can be computed in parts, a longer chunk
 * of which a part fits is better than a short one that fits whole: attention reads the past once for all its tokens.
 */
export class PrefillPace {
  readonly #maxTokens: number;
  readonly #stretch: number;
  readonly #parts: number;
  readonly #leastMs: number;
  readonly #cost = new PrefillCost();
  #decodeMs: number | null = null;
  /** What may still be computed before the next decode run. */
  readonly #budget: Budget;
  /** The same for tenants that are due more seats than they have: they do not wait for what others' prompts have taken. */
  readonly #dueBudget: Budget;

  constructor({ maxTokens, stretch, parts = 1, leastMs = LEAST_PREFILL_MS }: PrefillPaceOptions) {
    this.#maxTokens = maxTokens;
    this.#stretch = stretch;
    this.#parts = parts;
    this.#leastMs = leastMs;
    this.#budget = { begun: false, tokensLeft: maxTokens, msLeft: Number.POSITIVE_INFINITY };
    this.#dueBudget = { ...this.#budget };
  }

  /** A decode run of the rows that sit now took so long. */
  decoded(ms: number): void {
    const before = this.#decodeMs;
    this.#decodeMs = before === null ? ms : before + NEW_SHARE * (Math.min(ms, MOST_SURPRISE * before) - before);
  }

  /** A chunk behind so many tokens took so long, all parts together. */
  prefilled(tokens: number, pastTokens: number, ms: number): void {
    this.#cost.learn(tokens, pastTokens, ms);
  }

  /** A decode run is next: what may be computed after it is as much as ever. */
  beginDecode(): void {
    for (const [budget, due] of [
      [this.#budget, false],
      [this.#dueBudget, true],
    ] as const) {
      budget.begun = false;
      budget.tokensLeft = this.#maxTokens;
      budget.msLeft = this.#allowedMs(due);
    }
  }

  /**
   * A prompt's next chunk, of which a run, or the first part, comes now; null when rows that wait come first. Behind a decode run it is
   * never null: where attention over a long past alone takes longer than is allowed, it is the smallest chunk.
   * @param remainingTokens of the prompt, ≥ 1
   * @param due its tenant is due more seats than it has
   */
  nextChunk(remainingTokens: number, pastTokens: number, rowsWait: boolean, due = false): PrefillChunk | null {
    const most = rowsWait ? this.#mostTokens(pastTokens, due) : { tokens: this.#maxTokens, parts: 1 };
    const chunk = { tokens: nextPrefillChunk(remainingTokens, most.tokens), parts: most.parts };
    const budget = due ? this.#dueBudget : this.#budget;
    if (rowsWait && budget.begun && chunk.tokens > budget.tokensLeft) return null;
    if (!this.continues(chunk, pastTokens, rowsWait, due)) return null;
    budget.tokensLeft -= chunk.tokens;
    return chunk;
  }

  /** Whether the next part of a chunk comes now, or rows that wait come first. */
  continues({ tokens, parts }: PrefillChunk, pastTokens: number, rowsWait: boolean, due = false): boolean {
    const ms = this.#cost.known ? this.#cost.msOf(tokens, pastTokens) / parts : 0;
    const budget = due ? this.#dueBudget : this.#budget;
    if (rowsWait && budget.begun && ms > budget.msLeft) return false;
    budget.begun = true;
    budget.msLeft -= ms;
    return true;
  }

  #allowedMs(due: boolean): number {
    if (this.#stretch === 0 || this.#decodeMs === null) return Number.POSITIVE_INFINITY;
    const runs = (this.#stretch - 1) * AIM;
    return Math.max(this.#leastMs, (due ? Math.max(runs, DUE_DECODE_RUNS) : runs) * this.#decodeMs);
  }

  /** The chunk that computes most tokens in each time that is allowed, of those whose parts fit one, two, … times into it. */
  #mostTokens(pastTokens: number, due: boolean): PrefillChunk {
    const allowedMs = this.#allowedMs(due);
    if (allowedMs === Number.POSITIVE_INFINITY || !this.#cost.known) return { tokens: this.#maxTokens, parts: 1 };
    const leastTokens = Math.min(LEAST_TOKENS, this.#maxTokens);
    let best = { tokens: leastTokens, parts: this.#parts };
    let bestRate = 0;
    for (let partsAtOnce = this.#parts; partsAtOnce >= 1; partsAtOnce--) {
      const fitting = Math.floor(this.#cost.tokensWithin((allowedMs * this.#parts) / partsAtOnce, pastTokens));
      const tokens = Math.min(this.#maxTokens, fitting - (fitting % STEP_TOKENS));
      if (tokens < leastTokens || tokens * partsAtOnce <= bestRate) continue;
      bestRate = tokens * partsAtOnce;
      best = { tokens, parts: partsAtOnce === this.#parts ? 1 : this.#parts };
    }
    return best;
  }
}

import { nextPrefillChunk } from './prefill-chunk.ts';
import { PrefillCost } from './prefill-cost.ts';
import { PrefillSurprise } from './prefill-surprise.ts';

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
/**
 * Decode runs that a prompt may last between two of them when its tenant is due more seats than it has: its rest is computed at once where it
 * lasts no longer, and of a longer one as much as fits even where runs take what nine of ten stay below. With two thirds of the time for
 * it, a prompt that takes P alone has its first token within 1.5 P and two decode runs: the one that it meets, and one for every two of P.
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
  readonly #surprise = new PrefillSurprise();
  /** What each part takes, over what one takes on average: the last one has the head as well. */
  readonly #partShares: Float64Array;
  #decodeMs: number | null = null;
  /** What may still be computed before the next decode run. */
  readonly #budget: Budget;
  /** The same for tenants that are due more seats than they have: they do not wait for what others' prompts have taken. */
  readonly #dueBudget: Budget;

  constructor({ maxTokens, stretch, parts = 1, leastMs = LEAST_PREFILL_MS }: PrefillPaceOptions) {
    this.#maxTokens = maxTokens;
    this.#stretch = stretch;
    this.#parts = parts;
    this.#partShares = new Float64Array(parts).fill(1);
    this.#leastMs = leastMs;
    this.#budget = { begun: false, tokensLeft: maxTokens, msLeft: Number.POSITIVE_INFINITY };
    this.#dueBudget = { ...this.#budget };
  }

  /** A decode run of the rows that sit now took so long. */
  decoded(ms: number): void {
    const before = this.#decodeMs;
    this.#decodeMs = before === null ? ms : before + NEW_SHARE * (Math.min(ms, MOST_SURPRISE * before) - before);
  }

  /** A chunk's part, or all of it in one run, took so long. */
  computed({ tokens, parts }: PrefillChunk, part: number, pastTokens: number, ms: number): void {
    if (!this.#cost.known) return;
    const foretoldMs = this.#partMs({ tokens, parts }, part, pastTokens);
    this.#surprise.learn(ms / foretoldMs);
    if (parts === 1) return;
    this.#partShares[part] *= 1 + NEW_SHARE * (Math.min(ms / foretoldMs, MOST_SURPRISE) - 1);
    const sum = this.#partShares.reduce((all, share) => all + share, 0);
    for (let i = 0; i < parts; i++) this.#partShares[i] *= parts / sum;
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
    const budget = due ? this.#dueBudget : this.#budget;
    const atOnce = !rowsWait || (due && !budget.begun && this.#fitsDue(remainingTokens, pastTokens));
    const most = atOnce ? { tokens: this.#maxTokens, parts: 1 } : this.#mostTokens(pastTokens, due);
    const chunk = { tokens: nextPrefillChunk(remainingTokens, most.tokens), parts: most.parts };
    if (rowsWait && budget.begun && chunk.tokens > budget.tokensLeft) return null;
    if (!this.continues(chunk, 0, pastTokens, rowsWait, due)) return null;
    budget.tokensLeft -= chunk.tokens;
    return chunk;
  }

  /** Whether the next part of a chunk comes now, or rows that wait come first. */
  continues(chunk: PrefillChunk, part: number, pastTokens: number, rowsWait: boolean, due = false): boolean {
    const ms = this.#cost.known ? this.#partMs(chunk, part, pastTokens) : 0;
    const budget = due ? this.#dueBudget : this.#budget;
    if (rowsWait && budget.begun && ms > budget.msLeft) return false;
    budget.begun = true;
    budget.msLeft -= ms;
    return true;
  }

  #allowedMs(due: boolean): number {
    if (this.#stretch === 0 || this.#decodeMs === null) return Number.POSITIVE_INFINITY;
    const runs = due ? Math.max(this.#stretch - 1, DUE_DECODE_RUNS) : this.#stretch - 1;
    return Math.max(this.#leastMs, (runs * this.#decodeMs) / this.#surprise.most);
  }

  #fitsDue(tokens: number, pastTokens: number): boolean {
    if (this.#decodeMs === null || !this.#cost.known || tokens > this.#maxTokens) return false;
    return this.#cost.msOf(tokens, pastTokens) <= DUE_DECODE_RUNS * this.#decodeMs;
  }

  #partMs({ tokens, parts }: PrefillChunk, part: number, pastTokens: number): number {
    const ms = this.#cost.msOf(tokens, pastTokens);
    return parts === 1 ? ms : (ms * this.#partShares[part]) / parts;
  }

  /** The chunk that computes most tokens in each time that is allowed, of those whose parts fit one, two, … times into it. */
  #mostTokens(pastTokens: number, due: boolean): PrefillChunk {
    const allowedMs = this.#allowedMs(due);
    if (allowedMs === Number.POSITIVE_INFINITY || !this.#cost.known) return { tokens: this.#maxTokens, parts: 1 };
    const leastTokens = Math.min(LEAST_TOKENS, this.#maxTokens);
    const largestShare = Math.max(...this.#partShares);
    let best = { tokens: leastTokens, parts: this.#parts };
    let bestRate = 0;
    for (let partsAtOnce = this.#parts; partsAtOnce >= 1; partsAtOnce--) {
      // Of several at once one may be the largest.
      const share = partsAtOnce === this.#parts ? 1 : (largestShare + partsAtOnce - 1) / this.#parts;
      const fitting = Math.floor(this.#cost.tokensWithin(allowedMs / share, pastTokens));
      const tokens = Math.min(this.#maxTokens, fitting - (fitting % STEP_TOKENS));
      if (tokens < leastTokens || tokens * partsAtOnce <= bestRate) continue;
      bestRate = tokens * partsAtOnce;
      best = { tokens, parts: partsAtOnce === this.#parts ? 1 : this.#parts };
    }
    return best;
  }
}

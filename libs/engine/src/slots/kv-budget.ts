import { KV_BLOCK_TOKENS, wholeBlocks } from '#contracts/ports';
import type { Sequence } from '../sequences/sequence.ts';

/**
 * How many tokens' keys and values may be in memory, of all sequences that sit or are parked. Slots can be far more and far
 * longer than that: the system gives them memory as they fill, and takes it back when they are trimmed.
 */
export class KvBudget {
  /** Infinity for as much as the slots can hold. */
  readonly tokens: number;

  /** @throws RangeError when not even one sequence of full length would have room */
  constructor(tokens: number, slotTokens: number) {
    if (tokens < slotTokens + KV_BLOCK_TOKENS) {
      throw new RangeError(
        `the memory for keys and values holds ${tokens} tokens, but one slot alone may need ${slotTokens + KV_BLOCK_TOKENS}: ` +
          'allow more memory, or shorter slots',
      );
    }
    this.tokens = tokens;
  }

  get limited(): boolean {
    return this.tokens !== Number.POSITIVE_INFINITY;
  }

  /** What a sequence needs, in whole blocks, until its next token, or until its prompt and what it said before is computed (again). */
  needOf({ computedTokens, prefillTokenIds, request, completionTokens }: Sequence): number {
    return wholeBlocks(Math.max(computedTokens + 1, prefillTokenIds.length, request.promptLength + completionTokens));
  }

  /** Room that is kept before another sequence sits down, so that it does not push out somebody at once. */
  reserveFor(rows: number): number {
    return rows * KV_BLOCK_TOKENS;
  }
}

import { KV_BLOCK_TOKENS, type ModelRunner } from '#contracts/ports';
import type { Sequence } from '../sequences/sequence.ts';
import { PrefixTree } from './prefix-tree.ts';

/**
 * A prefill of one token takes attention's decode path, so at least so many tokens of every prompt are computed. The last
 * one has to be anyway: its logits choose the first token.
 */
const LEAST_COMPUTED_TOKENS = 2;

/**
 * Keeps what prefill computed beyond its sequence's end, and spares later prompts of the same scope the beginning that they
 * share. A hit changes no bit: a position's keys and values depend on the tokens before it only, however they were cut into
 * chunks, and nothing is kept of what decode runs computed, whose last bits differ. So the answer in a chat's next prompt is
 * prefilled once.
 */
export class PrefixCache {
  readonly #runner: ModelRunner;
  readonly #tree: PrefixTree;
  #queriedTokens = 0;
  #hitTokens = 0;

  constructor(runner: ModelRunner) {
    this.#runner = runner;
    this.#tree = new PrefixTree(runner.blocks, KV_BLOCK_TOKENS);
  }

  /** Prompt tokens that were looked for, since the start. */
  get queriedTokens(): number {
    return this.#queriedTokens;
  }

  /** Of these, tokens that were there. */
  get hitTokens(): number {
    return this.#hitTokens;
  }

  /** Tokens that the blocks in use have room for. */
  get heldTokens(): number {
    return this.#tree.usedBlocks * KV_BLOCK_TOKENS;
  }

  get evictions(): number {
    return this.#tree.evictions;
  }

  /** Brings the beginning of a prompt that is kept into the slot of a sequence that has computed nothing. */
  load(sequence: Sequence): void {
    const { prefillTokenIds, slot } = sequence;
    this.#queriedTokens += prefillTokenIds.length;
    if (this.#runner.blocks === 0) return;
    const limit = prefillTokenIds.length - LEAST_COMPUTED_TOKENS;
    let loaded = 0;
    for (const { block, tokens } of this.#tree.find(scopeOf(sequence), prefillTokenIds, limit)) {
      this.#runner.loadBlock(block, slot, loaded, tokens);
      loaded += tokens;
    }
    this.#hitTokens += loaded;
    sequence.takeCached(loaded);
  }

  /** Keeps what is computed of a sequence's prompt: whole blocks, and what is behind them when nothing follows. */
  save(sequence: Sequence): void {
    const { prefillTokenIds, computedTokens, prefilling, slot } = sequence;
    if (this.#runner.blocks === 0 || prefillTokenIds.length < LEAST_COMPUTED_TOKENS) return;
    const tokens = prefilling ? computedTokens - (computedTokens % KV_BLOCK_TOKENS) : computedTokens;
    this.#tree.extend(scopeOf(sequence), prefillTokenIds, tokens, (block, fromToken, count) => {
      this.#runner.saveBlock(slot, fromToken, block, count);
    });
  }

  /** Gives up what begins like this sequence's prompt: something is wrong with it. */
  forget(sequence: Sequence): void {
    this.#tree.forget(scopeOf(sequence), sequence.prefillTokenIds);
  }
}

function scopeOf({ request }: Sequence): string {
  return request.input.cacheScope ?? '';
}

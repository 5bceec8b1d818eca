import { KV_BLOCK_TOKENS, type ModelRunner } from '#contracts/ports';
import type { Sequence } from '../sequences/sequence.ts';
import { type PrefixPart, PrefixTree } from './prefix-tree.ts';

/** The last token of every prompt is computed: its logits choose the first token. */
const LEAST_COMPUTED_TOKENS = 1;
/** The same where a prefill of one token takes attention's decode path, and with it other bits. */
const LEAST_COMPUTED_AS_PROMPT = 2;

/**
 * Keeps what was computed beyond its sequence's end, and spares later prompts of the same scope the beginning that they
 * share. A hit changes no bit: a position's keys and values depend on the tokens before it only, however they were cut into
 * chunks. What decode runs computed is kept where it has the same bits (`runInvariant`), so that a chat's next prompt goes on behind the
 * answer; elsewhere the answer in it is prefilled once. Where slots have states (`stateBytes`) a hit ends where the states were kept too: at ends of chunks, of
 * prompts and answers, and of an answer's blocks.
 */
export class PrefixCache {
  readonly #runner: ModelRunner;
  readonly #tree: PrefixTree;
  readonly #keepsAnswers: boolean;
  readonly #leastComputedTokens: number;
  readonly #needsStates: boolean;
  #queriedTokens = 0;
  #hitTokens = 0;

  constructor(runner: ModelRunner) {
    this.#runner = runner;
    this.#tree = new PrefixTree(runner.blocks, KV_BLOCK_TOKENS);
    this.#keepsAnswers = runner.description.runInvariant;
    this.#needsStates = runner.description.stateBytes > 0;
    this.#leastComputedTokens = this.#keepsAnswers ? LEAST_COMPUTED_TOKENS : LEAST_COMPUTED_AS_PROMPT;
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
    const limit = prefillTokenIds.length - this.#leastComputedTokens;
    const { parts, keptTokens } = this.#find(sequence, limit);
    let loaded = 0;
    for (const { block, tokens } of parts) {
      this.#runner.loadBlock(block, slot, loaded, tokens);
      loaded += tokens;
    }
    this.#hitTokens += loaded;
    sequence.takeCached(loaded);
    // Others may part from it there too: the state is kept when a chunk ends there.
    sequence.sharedTokens = keptTokens - loaded >= LEAST_COMPUTED_AS_PROMPT ? keptTokens : 0;
  }

  #find(sequence: Sequence, limit: number): { parts: PrefixPart[]; keptTokens: number } {
    const { prefillTokenIds } = sequence;
    if (this.#needsStates) return this.#tree.findState(scopeOf(sequence), prefillTokenIds, limit);
    return { parts: this.#tree.find(scopeOf(sequence), prefillTokenIds, limit), keptTokens: 0 };
  }

  /** Keeps what is computed of a sequence's prompt: whole blocks, and what is behind them when nothing follows. */
  save(sequence: Sequence): void {
    const { prefillTokenIds, computedTokens, prefilling } = sequence;
    if (this.#runner.blocks === 0 || prefillTokenIds.length < this.#leastComputedTokens) return;
    const tokens = prefilling ? computedTokens - (computedTokens % KV_BLOCK_TOKENS) : computedTokens;
    this.#extend(sequence, prefillTokenIds, tokens);
  }

  /** Keeps a block of a row's answer when the last `newTokens` that were computed made it whole. */
  saveAnswer(sequence: Sequence, newTokens: number): void {
    const { computedTokens } = sequence;
    const behindBlocks = computedTokens % KV_BLOCK_TOKENS;
    if (behindBlocks < newTokens) this.#saveRow(sequence, computedTokens - behindBlocks);
  }

  /** Keeps all of a row, which comes to its end. */
  saveEnd(sequence: Sequence): void {
    this.#saveRow(sequence, sequence.computedTokens);
  }

  #saveRow(sequence: Sequence, tokens: number): void {
    if (!this.#keepsAnswers || this.#runner.blocks === 0 || sequence.phase !== 'decode') return;
    this.#extend(sequence, sequence.tokenIds(), tokens);
  }

  #extend(sequence: Sequence, tokenIds: Int32Array, tokens: number): void {
    const save = (block: number, fromToken: number, count: number) =>
      this.#runner.saveBlock(sequence.slot, fromToken, block, count);
    const hasState = this.#needsStates && tokens === sequence.computedTokens;
    this.#tree.extend(scopeOf(sequence), tokenIds, tokens, save, hasState);
  }

  /** Gives up what begins like this sequence: something is wrong with it. */
  forget(sequence: Sequence): void {
    this.#tree.forget(scopeOf(sequence), sequence.tokenIds());
  }
}

function scopeOf({ request }: Sequence): string {
  return request.input.cacheScope ?? '';
}

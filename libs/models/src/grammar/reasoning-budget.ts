import type { TokenTable } from '#contracts';

/** What a budget is laid around: #engine's `TokenConstraint`. */
export interface AnswerConstraint extends Disposable {
  prepare(untilMs: number): boolean;
  allowedTokens(): Int32Array;
  accept(tokenId: number): boolean;
  expectedTokens(most: number): readonly number[];
  readonly ended: boolean;
}

export interface ReasoningBudgetOptions {
  readonly tokenTable: TokenTable;
  readonly vocabularySize: number;
  /** A text as tokens; none where a byte of it has no token. */
  readonly spell: (text: Uint8Array) => number[];
  readonly open: string;
  readonly close: string;
  /** Whether the prompt ends inside the block, or the model may open one as the first thing that it says. */
  readonly start: 'opened' | 'marked';
  /** Tokens inside the block, after which it is closed. */
  readonly budgetTokens: number;
}

/** `before` a block, which only white space may precede; `reasoning` in it; `closing` it; `over`. */
type State = 'before' | 'reasoning' | 'closing' | 'over';

const WHITE_SPACE = new Set([9, 10, 13, 32]);

/**
 * Lets a model reason for so many tokens, and then makes it write the block's closing mark; what comes behind is held to
 * `inner`, or to nothing. A function of the tokens alone, so an answer that goes on elsewhere has the same budget.
 */
export class ReasoningBudget implements AnswerConstraint {
  readonly #options: ReasoningBudgetOptions;
  readonly #inner: AnswerConstraint | null;
  readonly #open: Buffer;
  readonly #close: Buffer;
  /** [ceil(vocabularySize / 32)] */
  readonly #mask: Int32Array;
  #state: State;
  #used = 0;
  /** The last bytes, as many as can be the beginning of a mark that is looked for. */
  #tail = Buffer.alloc(0);
  /** Tokens that are still to come of the closing mark. */
  #closing: number[] = [];

  constructor(inner: AnswerConstraint | null, options: ReasoningBudgetOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#open = Buffer.from(options.open);
    this.#close = Buffer.from(options.close);
    this.#mask = new Int32Array(Math.ceil(options.vocabularySize / 32));
    this.#state = options.start === 'opened' ? 'reasoning' : 'before';
    this.#closeWhenUsedUp();
  }

  prepare(untilMs: number): boolean {
    return this.#state === 'closing' || (this.#inner?.prepare(untilMs) ?? true);
  }

  allowedTokens(): Int32Array {
    if (this.#state !== 'closing') return this.#inner?.allowedTokens() ?? this.#anything();
    const [token] = this.#closing;
    this.#mask.fill(0);
    if (token !== undefined) this.#mask[token >>> 5] = 1 << (token & 31);
    return this.#mask;
  }

  accept(tokenId: number): boolean {
    if (this.#state === 'closing' && tokenId !== this.#closing[0]) return false;
    if (this.#inner !== null && !this.#inner.accept(tokenId)) return false;
    this.#count(tokenId);
    return true;
  }

  expectedTokens(most: number): readonly number[] {
    if (this.#state === 'closing') return this.#closing.slice(0, most);
    return this.#state === 'reasoning' ? [] : (this.#inner?.expectedTokens(most) ?? []);
  }

  get ended(): boolean {
    return this.#inner?.ended ?? false;
  }

  [Symbol.dispose](): void {
    this.#inner?.[Symbol.dispose]();
  }

  #anything(): Int32Array {
    const { vocabularySize } = this.#options;
    this.#mask.fill(-1);
    if (vocabularySize % 32 !== 0) this.#mask[vocabularySize >>> 5] = (1 << (vocabularySize % 32)) - 1;
    return this.#mask;
  }

  #count(tokenId: number): void {
    const { bytes, offsets } = this.#options.tokenTable;
    const said = Buffer.concat([this.#tail, bytes.subarray(offsets[tokenId], offsets[tokenId + 1])]);
    if (this.#state === 'closing') {
      this.#closing.shift();
      if (this.#closing.length === 0) this.#state = 'over';
    } else if (this.#state === 'reasoning') {
      this.#used += 1;
      if (said.includes(this.#close)) this.#state = 'over';
      this.#tail = said.subarray(Math.max(0, said.length - this.#close.length + 1));
      this.#closeWhenUsedUp();
    } else if (this.#state === 'before') {
      this.#tail = said;
      this.#lookForOpening(said);
    }
  }

  #lookForOpening(said: Buffer): void {
    const from = said.findIndex((byte) => !WHITE_SPACE.has(byte));
    if (from < 0) return;
    const text = said.subarray(from);
    const shared = Math.min(text.length, this.#open.length);
    if (!text.subarray(0, shared).equals(this.#open.subarray(0, shared))) {
      this.#state = 'over';
    } else if (text.length >= this.#open.length) {
      this.#state = text.includes(this.#close) ? 'over' : 'reasoning';
      this.#tail = Buffer.alloc(0);
      this.#closeWhenUsedUp();
    }
  }

  #closeWhenUsedUp(): void {
    if (this.#state !== 'reasoning' || this.#used < this.#options.budgetTokens) return;
    this.#closing = this.#options.spell(this.#close);
    // Without tokens to write it with the block can only be left to the model.
    this.#state = this.#closing.length === 0 ? 'over' : 'closing';
  }
}

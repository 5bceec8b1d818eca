import type { TokenConstraint } from '../constraints/token-constraint.ts';
import { TokenPenalties, usesPenalties } from '../sampling/token-penalties.ts';
import type { SlotOccupant } from '../slots/slot-pool.ts';
import type { FinishReason } from '../step-output.ts';
import { Detokenizer } from '../text/detokenizer.ts';
import { StopStrings } from '../text/stop-strings.ts';
import type { TokenTexts } from '../text/token-texts.ts';
import type { ActiveRequest } from './active-request.ts';

/**
 * - `waiting`: in the line, without a slot
 * - `parked`: in the line, with what it has computed kept in a parking slot
 * - `prefill`: holds a slot, its prompt is being computed
 * - `decode`: holds a row; one token per decode run
 * - `finished`: ended; holds nothing
 */
export type SequencePhase = 'waiting' | 'parked' | 'prefill' | 'decode' | 'finished';

/** A chunk of a prompt of which `part` of `parts` parts are computed, which took `ms`. */
export interface ChunkInParts {
  readonly tokens: number;
  readonly parts: number;
  part: number;
  ms: number;
}

/**
 * Token state of one choice of a request. Its tokens are the prompt's and those generated so far; `computedTokens` of
 * them have keys and values. Usually only the last one has not. In a sequence that was resumed the computed ones are
 * behind and catch up: by decode runs, which give the bits that the first attempt had, or, when `prefillTokenIds` holds
 * the delivered tokens too, by prefill, whose bits are the same on a runner that is invariant to runs.
 */
export class Sequence implements SlotOccupant {
  readonly request: ActiveRequest;
  readonly choice: number;
  readonly penalties: TokenPenalties | null;
  /** What prefill computes: the prompt, or the prompt and what was delivered or lost before. */
  prefillTokenIds: Int32Array;
  /** What it may still say; null for free text. */
  readonly constraint: TokenConstraint | null;
  phase: SequencePhase = 'waiting';
  /** Its place in the order of arrival. */
  arrival = 0;
  /** Of the runner; a parking slot while it is parked, −1 while it has none. */
  slot = -1;
  /** Tokens whose keys and values its slot holds. */
  computedTokens = 0;
  /** Its tokens count as computed when all parts are; what moves the sequence elsewhere drops it. */
  chunk: ChunkInParts | null = null;
  /** Not again before a chunk is whole: two prompts could drop each other's for ever. */
  mayLoseChunk = true;
  /** Of the computed ones, those that were not computed for it but found in the prefix cache. */
  #loadedTokens = 0;
  /** Tokens that the prefix cache has keys and values of but no states behind them, so that a chunk is to end there; 0 for none. */
  sharedTokens = 0;
  /** What was found there when it was first seated. */
  #cachedTokens: number | null = null;
  /** It lost what it had computed to others, and computes all of it anew, its prompt too. */
  #preempted = false;
  completionTokens = 0;
  /** All of the answer so far; decode runs compute those anew that an earlier attempt delivered, or that were lost. */
  readonly #answerTokenIds: number[] = [];
  readonly #detokenizer: Detokenizer;
  readonly #stopStrings: StopStrings;
  /** Set by `accept`: what the last token lets be shown, whether that is the first that is, and whether it ended the sequence. */
  newText = '';
  showsFirst = false;
  finishReason: FinishReason | null = null;
  #hasShown = false;

  constructor(
    request: ActiveRequest,
    choice: number,
    texts: TokenTexts,
    prefillTokenIds: Int32Array,
    constraint: TokenConstraint | null = null,
  ) {
    this.request = request;
    this.choice = choice;
    this.constraint = constraint;
    const { sampling, promptTokenIds, stop, continuesText } = request.input;
    this.penalties = usesPenalties(sampling) ? new TokenPenalties(sampling, promptTokenIds) : null;
    this.#detokenizer = new Detokenizer(texts, continuesText);
    this.#stopStrings = new StopStrings(stop.strings, stop.showsString);
    this.prefillTokenIds = prefillTokenIds;
  }

  /** Its slot holds the prompt's first `tokens` tokens, which another sequence computed. */
  takeCached(tokens: number): void {
    this.computedTokens = tokens;
    this.#loadedTokens = tokens;
    this.#cachedTokens ??= tokens;
  }

  get cachedTokens(): number {
    return this.#cachedTokens ?? 0;
  }

  /** Nothing was computed for it yet. */
  get untouched(): boolean {
    return this.computedTokens === this.#loadedTokens;
  }

  /** What its slot held is lost. */
  beginAgain(): void {
    this.chunk = null;
    this.computedTokens = 0;
    this.#loadedTokens = 0;
  }

  /** Waits for a slot anew, and gets to where it is by itself: nobody keeps its prompt for it. */
  preempt(): void {
    this.beginAgain();
    this.#preempted = true;
    if (this.request.runInvariant) this.prefillTokenIds = this.tokenIds();
    this.phase = 'waiting';
  }

  /** Waits to copy the prompt from another choice of its request. */
  get waitsForPrompt(): boolean {
    return this.phase === 'waiting' && !this.#preempted;
  }

  /** True while it has tokens behind the next one to compute, so that a run's logits choose nothing. */
  get catchingUp(): boolean {
    return this.catchesUpAfter(0);
  }

  /** The same when a run has computed so many more. */
  catchesUpAfter(tokens: number): boolean {
    return this.computedTokens + tokens < this.request.promptLength + this.completionTokens;
  }

  /** Its next run computes its last token. */
  get upToDate(): boolean {
    return this.computedTokens === this.request.promptLength + this.completionTokens - 1;
  }

  /** Prefill has tokens left to compute. */
  get prefilling(): boolean {
    return this.computedTokens < this.prefillTokenIds.length;
  }

  /** The token that the next decode run computes. */
  get nextInputTokenId(): number {
    return this.#answerTokenIds[this.computedTokens - this.request.promptLength] ?? -1;
  }

  /** The prompt's and the answer's, so far. */
  tokenIds(): Int32Array {
    return Int32Array.from([...this.request.input.promptTokenIds, ...this.#answerTokenIds]);
  }

  /** Of the answer, so far. */
  get answerTokenIds(): readonly number[] {
    return this.#answerTokenIds;
  }

  /** How many tokens the answer may still have. */
  get tokensLeft(): number {
    return this.request.maxTokens - this.completionTokens;
  }

  get stopString(): string | null {
    return this.#stopStrings.matched;
  }

  /** Tells the constraint of the next token, which `accept` takes after that. False when it does not fit. */
  constrain(tokenId: number): boolean {
    return this.constraint === null || this.request.stopTokenIds.has(tokenId) || this.constraint.accept(tokenId);
  }

  /**
   * Takes the next token of the answer and decides whether it is the last. Text held back is released by a stop token
   * and at the length limit; a stop string takes it along, and itself
   * unless it is to be shown. A constrained answer also ends when nothing may follow.
   */
  accept(tokenId: number): void {
    this.#take(tokenId);
    this.showsFirst = !this.#hasShown && this.newText !== '';
    this.#hasShown ||= this.showsFirst;
  }

  #take(tokenId: number): void {
    this.#answerTokenIds.push(tokenId);
    this.completionTokens += 1;
    this.penalties?.addGenerated(tokenId);
    if (this.request.stopTokenIds.has(tokenId)) {
      this.newText = this.#releaseText('');
      this.finishReason = 'stop';
      return;
    }
    const text = this.#detokenizer.push(tokenId);
    const { minTokens = 0 } = this.request.input.stop;
    this.newText = this.completionTokens <= minTokens ? text : this.#stopStrings.push(text);
    if (this.#stopStrings.matched !== null) {
      this.finishReason = 'stop';
    } else if (this.constraint?.ended === true) {
      this.newText = this.#releaseText(this.newText);
      this.finishReason = 'stop';
    } else if (this.completionTokens >= this.request.maxTokens) {
      this.newText = this.#releaseText(this.newText);
      this.finishReason = this.#stopStrings.matched === null ? 'length' : 'stop';
    }
  }

  /**
   * Takes the tokens that an earlier attempt delivered, so that text, stop, penalty and constraint state are as it left them.
   * @returns false when the sequence would have ended before the last of them: they are not this request's
   */
  resume(tokenIds: readonly number[]): boolean {
    for (const tokenId of tokenIds) {
      if (this.finishReason !== null || !this.constrain(tokenId)) return false;
      this.accept(tokenId);
    }
    return true;
  }

  /** Nothing of it is needed any more. */
  end(): void {
    if (this.phase === 'finished') return;
    this.phase = 'finished';
    this.constraint?.[Symbol.dispose]();
  }

  #releaseText(shown: string): string {
    const text = shown + this.#stopStrings.push(this.#detokenizer.flush());
    return this.#stopStrings.matched === null ? text + this.#stopStrings.flush() : text;
  }
}

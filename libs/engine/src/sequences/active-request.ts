import type { ModelRunner } from '#contracts';
import { attemptKey } from '#contracts/ports';
import type { TokenConstraint } from '../constraints/token-constraint.ts';
import type { EngineRequest } from '../engine-request.ts';
import type { TokenTexts } from '../text/token-texts.ts';
import { Sequence } from './sequence.ts';

/** A request inside the engine: its sequences, and what they share. */
export class ActiveRequest {
  readonly input: EngineRequest;
  /** One per choice. The first computes the prompt, its siblings copy the keys and values. */
  readonly sequences: readonly Sequence[];
  readonly stopTokenIds: ReadonlySet<number>;
  /** Most tokens for one choice: what was asked for, or what fits behind the prompt. */
  readonly maxTokens: number;
  /** [vocabularySize] logits of the prompt's last token while siblings wait to draw their first token from them. */
  promptLogits: Float32Array | null = null;
  /** The choice that computes the prompt for all of them, once one has begun to. */
  promptOwner: Sequence | null = null;
  cancelled = false;
  prefillRestarts = 0;

  /**
   * The prompt is computed once for all choices; false when each prefills what was delivered of it as well, and where slots have states: a slot that went on
   * behind the prompt has none to copy that is behind the prompt.
   */
  readonly sharesPrompt: boolean;

  /** Prefill gives the bits of decode runs. */
  readonly runInvariant: boolean;

  /**
   * @param replayLimitTokens delivered tokens of one choice above which they are prefilled instead of decoded anew
   * @param constraints one per choice; null for free text
   */
  constructor(
    input: EngineRequest,
    { slotTokens, description }: Pick<ModelRunner, 'slotTokens' | 'description'>,
    texts: TokenTexts,
    replayLimitTokens: number,
    constraints: readonly TokenConstraint[] | null = null,
  ) {
    this.input = input;
    this.runInvariant = description.runInvariant;
    this.stopTokenIds = new Set(input.stop.tokenIds);
    this.maxTokens = Math.min(input.stop.maxTokens, slotTokens - input.promptTokenIds.length);
    const resume = input.resume ?? [];
    const replays = resume.every(({ tokenIds }) => tokenIds.length <= replayLimitTokens);
    this.sharesPrompt = replays && description.stateBytes === 0;
    this.sequences = Array.from({ length: input.choices }, (_, choice) => {
      const delivered = replays ? [] : (resume[choice]?.tokenIds ?? []);
      const prefillTokenIds =
        delivered.length === 0 ? input.promptTokenIds : Int32Array.from([...input.promptTokenIds, ...delivered]);
      return new Sequence(this, choice, texts, prefillTokenIds, constraints?.[choice] ?? null);
    });
  }

  /**
   * Brings every choice to where an earlier attempt left it; a choice whose end was delivered is finished.
   * @returns the choice whose delivered tokens can not be this request's, or null
   */
  resume(): number | null {
    for (const [choice, { tokenIds, finished }] of (this.input.resume ?? []).entries()) {
      const sequence = this.sequences[choice];
      if (sequence === undefined) continue;
      if (finished) sequence.end();
      else if (!sequence.resume(tokenIds)) return choice;
    }
    return null;
  }

  get key(): string {
    return attemptKey(this.input.requestId, this.input.epoch);
  }

  get promptLength(): number {
    return this.input.promptTokenIds.length;
  }

  /** Prompt tokens that the prefix cache held. */
  get cachedPromptTokens(): number {
    return Math.min(this.promptLength, Math.max(...this.sequences.map(({ cachedTokens }) => cachedTokens)));
  }

  /** Choices whose slots hold the prompt, so that a sibling can copy it. */
  get promptHolders(): number {
    return this.sequences.reduce((count, { slot, prefilling }) => count + (slot >= 0 && !prefilling ? 1 : 0), 0);
  }

  get finished(): boolean {
    return this.sequences.every((sequence) => sequence.phase === 'finished');
  }

  /** The first choice that waits to copy the prompt, which is computed. */
  get heir(): Sequence | null {
    if (this.promptLogits === null || !this.sharesPrompt) return null;
    return this.sequences.find(({ waitsForPrompt }) => waitsForPrompt) ?? null;
  }

  /** True while siblings wait to copy the prompt from the first. */
  get hasWaitingSiblings(): boolean {
    return this.sharesPrompt && this.sequences.some(({ waitsForPrompt }) => waitsForPrompt);
  }
}

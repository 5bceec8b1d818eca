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
  cancelled = false;
  prefillRestarts = 0;

  constructor(input: EngineRequest, slotTokens: number, texts: TokenTexts) {
    this.input = input;
    this.stopTokenIds = new Set(input.stop.tokenIds);
    this.maxTokens = Math.min(input.stop.maxTokens, slotTokens - input.promptTokenIds.length);
    this.sequences = Array.from({ length: input.choices }, (_, choice) => new Sequence(this, choice, texts));
  }

  get key(): string {
    return requestKey(this.input.requestId, this.input.epoch);
  }

  get promptLength(): number {
    return this.input.promptTokenIds.length;
  }

  get finished(): boolean {
    return this.sequences.every((sequence) => sequence.phase === 'finished');
  }

  /** True once every sequence has its first token. */
  get allStarted(): boolean {
    return this.sequences.every((sequence) => sequence.completionTokens > 0);
  }
}

export function requestKey(requestId: string, epoch: number): string {
  return `${epoch}:${requestId}`;
}

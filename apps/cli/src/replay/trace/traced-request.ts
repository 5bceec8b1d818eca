/** A request as a trace recorded it. */
export interface TracedRequest {
  /** When it came, from the trace's first request. */
  readonly atMs: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Names of the prompt's pieces of `BLOCK_TOKENS`, from its beginning: equal ones are equal text. Empty where a trace tells none. */
  readonly blocks: readonly number[];
}

/** Tokens of a prompt that one of Mooncake's `hash_ids` stands for. */
export const BLOCK_TOKENS = 512;

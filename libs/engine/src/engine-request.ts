import type { OutputConstraint, SamplingParameters, StopConditions, TokenLimits } from '#contracts';

/** What an earlier attempt of a request delivered of one choice. */
export interface ResumedChoice {
  /** The tokens that the client has the text of, from the choice's first. */
  readonly tokenIds: readonly number[];
  /** The choice's end was delivered too: it is not run again. */
  readonly finished: boolean;
}

/** One request as the engine takes it: plain data that can be posted to the engine's thread. */
export interface EngineRequest {
  readonly requestId: string;
  readonly epoch: number;
  /** Whose seats it takes; requests that name nobody are one tenant's. */
  readonly tenantId?: string;
  /** The tenant's share of the seats relative to others'; 1 by default. */
  readonly weight?: number;
  /** Only requests of the same scope share what the prefix cache keeps of their prompts; all that name none are one scope. */
  readonly cacheScope?: string;
  readonly promptTokenIds: Int32Array;
  /** The answer goes on with a text that the prompt ends in: the blank before its first word is part of it. */
  readonly continuesText?: boolean;
  /** Number of sequences to generate from the one prompt. */
  readonly choices: number;
  readonly sampling: SamplingParameters;
  readonly stop: StopConditions;
  /** What the answer must be; absent or null for free text. */
  readonly constraint?: OutputConstraint | null;
  /** What was made of the constraint elsewhere, so that the engine need not; passed on to `TokenConstraints` as it is. */
  readonly translated?: Int32Array | null;
  /** Tokens that may not come; absent or null where all may. */
  readonly tokenLimits?: TokenLimits | null;
  /** Alternatives per token besides the chosen one; null when no log probabilities are wanted. */
  readonly topLogprobs: number | null;
  /** One entry per choice to go on behind what was delivered; null or left out to begin at the beginning. */
  readonly resume?: readonly ResumedChoice[] | null;
  /** What was delivered is prefilled instead of decoded anew: quicker, and not bit for bit the same. */
  readonly resumeFast?: boolean;
  /** Nobody reads the answer before it is complete: its tokens may be published several at a time. */
  readonly whole?: boolean;
}

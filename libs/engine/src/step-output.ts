/** `stop`: a stop token or string; `length`: max tokens or the slot's capacity; `cancelled`: somebody asked for it. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

export interface TokenLogprob {
  readonly tokenId: number;
  /** Natural logarithm, of the model's own distribution before penalties and temperature. */
  readonly logprob: number;
  readonly top: readonly { readonly tokenId: number; readonly logprob: number }[];
}

/** New tokens of one sequence. */
export interface SequenceDelta {
  readonly requestId: string;
  readonly epoch: number;
  readonly choice: number;
  /** Index of the first of `tokenIds` within the choice, from 0. */
  readonly firstIndex: number;
  readonly tokenIds: readonly number[];
  /** What may be shown now; empty while text is held back for a stop string or an unfinished character. */
  readonly text: string;
  readonly logprobs: readonly TokenLogprob[];
}

export interface SequenceFinish {
  readonly requestId: string;
  readonly epoch: number;
  readonly choice: number;
  readonly reason: FinishReason;
  readonly stopString: string | null;
  readonly completionTokens: number;
  /** Of the request's prompt, tokens that were not computed but found in the prefix cache. */
  readonly cachedPromptTokens: number;
}

/** A sequence got its slot and its prompt is about to be computed. */
export interface SequenceSeat {
  readonly requestId: string;
  readonly epoch: number;
  readonly choice: number;
  /** Unix time in ms, with fractions. */
  readonly atMs: number;
}

export interface RequestFailure {
  readonly requestId: string;
  readonly epoch: number;
  readonly code: 'engine_failed' | 'invalid_request' | 'context_length_exceeded';
  readonly message: string;
}

/** A reading of the engine's counters. Counts with `total` in the name only grow. */
export interface EngineStats {
  readonly running: number;
  readonly waiting: number;
  /** Sequences that gave their seat to another tenant's and wait, with what they have computed, to go on. */
  readonly parked: number;
  readonly parksTotal: number;
  /** Largest difference of seat time ÷ weight between tenants that are in the engine, in steps. */
  readonly fairnessLagSteps: number;
  readonly freeSlots: number;
  /** Tokens whose keys and values the slots hold. */
  readonly kvTokens: number;
  /** Most tokens of all sequences that may be in memory at a time. */
  readonly kvBudgetTokens: number;
  /** Tokens that the slots have memory of the system for; null where all of it was taken at the start. */
  readonly kvResidentTokens: number | null;
  /** How often a sequence lost what it had computed, for want of memory. */
  readonly preemptionsTotal: number;
  readonly stepsTotal: number;
  readonly decodeRunsTotal: number;
  readonly prefillRunsTotal: number;
  /** Runs that computed an answer's last token and what was proposed behind it; what was proposed, and of that what was right. */
  readonly verifyRunsTotal: number;
  readonly proposedTokensTotal: number;
  readonly acceptedTokensTotal: number;
  readonly decodedTokensTotal: number;
  readonly prefilledTokensTotal: number;
  /** Prompt tokens that were looked for in the prefix cache, and those that were found. */
  readonly prefixQueriedTokensTotal: number;
  readonly prefixHitTokensTotal: number;
  /** Tokens that the prefix cache's blocks in use have room for. */
  readonly prefixTokens: number;
  readonly prefixEvictionsTotal: number;
  /** Bytes between host and device memory; 0 where the cache is in host memory. */
  readonly deviceTransferBytesTotal: number;
  /** Rows of logits that came over from a device whole, because what was selected of them did not decide. */
  readonly wholeRowsTotal: number;
  /** Decode runs that replayed a captured graph. */
  readonly graphReplaysTotal: number;
}

/** What a step made, or some quick ones together, published as one message; `step` is the last of them. */
export interface StepOutput {
  readonly step: number;
  readonly seated: readonly SequenceSeat[];
  readonly deltas: readonly SequenceDelta[];
  readonly finished: readonly SequenceFinish[];
  readonly failed: readonly RequestFailure[];
  readonly stats: EngineStats;
}

/**
 * - `open`: a replica works on it, or should
 * - `ended`, `failed`, `cancelled`: it is over, and what was answered can be read
 * - `dropped`: it outgrew what is kept of one answer
 */
export type KeptState = 'open' | 'ended' | 'failed' | 'cancelled' | 'dropped';

/** An answer that outlives the connection it was asked for on. */
export interface KeptAnswer {
  readonly state: KeptState;
  /** The replica that works on it; empty when it is over or was given away. */
  readonly owner: string;
  readonly epoch: number;
  /** What is needed to go on with it, as it was given to `keep`; empty when it was dropped. */
  readonly request: Buffer;
  /** Of a failed one; null for others. */
  readonly error: KeptError | null;
}

export interface KeptError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
}

export interface KeptAnswerLimits {
  /** How long an answer can be come back to after its last change. */
  readonly keptMs: number;
  readonly mostBytes: number;
  readonly mostBytesPerTenant: number;
}

/** A part of an answer, in the order in which it was made. */
export interface KeptFrames {
  /** Position in the stream: read on behind it. */
  readonly entryId: string;
  readonly payload: Buffer;
}

/** The end of an answer, or `released`: its owner gives it away. */
export interface KeptEnding {
  readonly state: 'released' | 'ended' | 'failed' | 'cancelled';
  readonly error: KeptError | null;
}

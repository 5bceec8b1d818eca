import type { Sequence } from '../sequences/sequence.ts';

/** Guesses next tokens, and learns from what runs take whether verifying them pays. */
export interface TokenProposer {
  /**
   * What may follow the last token of a sequence, which has one, and of which nobody but the next run knows more.
   * @param most 1 or more
   * @returns at most so many tokens; none where it knows of none, or where decoding is quicker
   */
  propose(sequence: Sequence, most: number): readonly number[];
  /** A decode run of one row took so long. */
  decoded(ms: number): void;
  /** A run that verified took so long. @param tokens of the run, one more than were proposed */
  verified(tokens: number, pastTokens: number, ms: number): void;
}

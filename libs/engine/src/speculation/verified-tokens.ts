import type { Sequence } from '../sequences/sequence.ts';

/** What verification came to since the start. */
export class VerifiedTokens {
  runs = 0;
  /** Tokens that were proposed, and of these the right ones. */
  proposed = 0;
  accepted = 0;

  /**
   * After a run over a sequence's last token and what was proposed behind it: tokens are chosen as ever, position by position, up to the
   * first that is not what was proposed. What was computed behind that is forgotten, since it counts as computed no more than is right.
   * @param choose the sequence's next token from a row of the logits; it may come to its end by it, or get none
   * @returns tokens of the answer that came of it
   */
  take(sequence: Sequence, proposals: readonly number[], choose: (row: number) => void): number {
    const before = sequence.completionTokens;
    this.runs += 1;
    this.proposed += proposals.length;
    for (let row = 0; row <= proposals.length; row++) {
      const tokens = sequence.completionTokens;
      sequence.computedTokens += 1;
      choose(row);
      if (sequence.completionTokens === tokens || sequence.answerTokenIds.at(-1) !== proposals[row]) break;
      this.accepted += 1;
      if (sequence.finishReason !== null) break;
    }
    return sequence.completionTokens - before;
  }
}

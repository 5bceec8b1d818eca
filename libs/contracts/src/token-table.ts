/**
 * What each token id stands for in bytes, so that text can be put together without the tokenizer.
 * Plain data: it can be posted to a worker_thread.
 */
export interface TokenTable {
  /** All tokens' bytes one after another. Special tokens (those that are control, not text) have none. */
  readonly bytes: Uint8Array;
  /** [vocabularySize + 1]; token t is `bytes.subarray(offsets[t], offsets[t + 1])` */
  readonly offsets: Uint32Array;
  /** [vocabularySize] 1 for control tokens. */
  readonly special: Uint8Array;
  /** Some tokenizers (SentencePiece) put a space before the first word that is not part of the text. */
  readonly stripLeadingSpace: boolean;
}

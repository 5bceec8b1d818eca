/** A tokenizer.json that Millrace cannot reproduce exactly, refused when a model or its card is loaded. */
export class UnsupportedTokenizerError extends Error {
  constructor(reason: string, options: { cause?: unknown } = {}) {
    super(
      `tokenizer.json cannot be used: ${reason}. Remedy: use a model whose tokenizer is byte-level BPE or a ` +
        'SentencePiece-style BPE or Unigram, as decoder language models have.',
      options,
    );
    this.name = new.target.name;
  }
}

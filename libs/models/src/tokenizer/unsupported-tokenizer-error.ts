const REMEDY =
  'use a model whose tokenizer is byte-level BPE or a SentencePiece-style BPE or Unigram, as decoder language models have';

/** A tokenizer.json that Millrace cannot reproduce exactly, refused when a model or its card is loaded. */
export class UnsupportedTokenizerError extends Error {
  readonly problem: string;
  readonly remedy = REMEDY;

  constructor(reason: string, options: { cause?: unknown } = {}) {
    const problem = `tokenizer.json cannot be used: ${reason}`;
    super(`${problem}. Remedy: ${REMEDY}.`, options);
    this.name = new.target.name;
    this.problem = problem;
  }
}

import { Tokenizer } from '@huggingface/tokenizers';
import { type AddedToken, addedTokens } from './added-token.ts';
import { withExactDigits } from './exact-digits.ts';
import { splitAddedTokens } from './split-added-tokens.ts';
import { TokenTrie } from './token-trie.ts';
import { parseTokenizerJson, type TokenizerJson } from './tokenizer-json.ts';
import { UnsupportedTokenizerError } from './unsupported-tokenizer-error.ts';
import { WordCutter } from './word-cutter.ts';

/**
 * Turns text into token ids as the reference tokenizer does, except that text never becomes a control token: their
 * pieces are taken out of the vocabulary before the library sees it. The caller places control tokens itself.
 */
export class TextTokenizer {
  readonly controlTokens: readonly AddedToken[];
  readonly #library: Tokenizer;
  readonly #cutter: WordCutter;
  readonly #rawTextTokens = new TokenTrie<AddedToken>();
  readonly #normalizedTextTokens = new TokenTrie<AddedToken>();

  /** @throws UnsupportedTokenizerError */
  constructor(tokenizerJson: string) {
    const json = parseTokenizerJson(tokenizerJson);
    const added = addedTokens(json);
    this.controlTokens = added.filter((token) => token.control);
    this.#library = plainTextLibrary(json, this.controlTokens);
    this.#cutter = new WordCutter(this.#library.pre_tokenizer, json.pre_tokenizer ?? null);
    for (const token of added) {
      if (token.control) {
        continue;
      }
      if (token.normalized) {
        const content = this.#library.normalizer?.normalize(token.content) ?? token.content;
        if (content !== '') {
          this.#normalizedTextTokens.add(content, token);
        }
      } else {
        this.#rawTextTokens.add(token.content, token);
      }
    }
  }

  /**
   * Appends the ids of `text` to `ids`. Time is linear in the text but for single words of great length (n log n).
   * @param text well-formed UTF-16
   * @param atStart whether nothing precedes the text; some tokenizers put a space before the very first word
   */
  encodeInto(ids: number[], text: string, atStart: boolean): void {
    for (const part of splitAddedTokens(text, this.#rawTextTokens)) {
      if ('token' in part) {
        ids.push(part.token.id);
      } else {
        this.#encodeNormalized(ids, this.#normalize(part.text), atStart && part.start === 0);
      }
    }
  }

  #normalize(text: string): string {
    return this.#library.normalizer === null ? text : this.#library.normalizer.normalize(text);
  }

  #encodeNormalized(ids: number[], text: string, atStart: boolean): void {
    const { model } = this.#library;
    if (model === null) {
      return;
    }
    for (const part of splitAddedTokens(text, this.#normalizedTextTokens)) {
      if ('token' in part) {
        ids.push(part.token.id);
        continue;
      }
      const words = this.#cutter.words(part.text, atStart && part.start === 0);
      for (const piece of model._call(words)) {
        const id = model.tokens_to_ids.get(piece) ?? model.unk_token_id;
        if (id !== undefined) {
          ids.push(id);
        }
      }
    }
  }
}

/** The library's tokenizer without added tokens, post-processor and control pieces: only the text pipeline. */
function plainTextLibrary(json: TokenizerJson, controlTokens: readonly AddedToken[]): Tokenizer {
  const type = json.model.type ?? 'BPE';
  if (type !== 'BPE' && type !== 'Unigram') {
    throw new UnsupportedTokenizerError(`its model type is ${type}, supported are BPE and Unigram`);
  }
  const control = new Set(controlTokens.map((token) => token.content));
  const plain = {
    ...json,
    normalizer: json.normalizer ?? null,
    pre_tokenizer: withExactDigits(json.pre_tokenizer ?? null),
    decoder: null,
    post_processor: null,
    added_tokens: [],
    model: { ...json.model, type, vocab: withoutPieces(json.model.vocab, control) },
  };
  try {
    return new Tokenizer(plain, {});
  } catch (error) {
    throw new UnsupportedTokenizerError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function withoutPieces(vocab: TokenizerJson['model']['vocab'], control: ReadonlySet<string>): typeof vocab {
  if (Array.isArray(vocab)) {
    // Positions are ids, so a piece is replaced by one that no text matches (a lone surrogate never gets this far).
    return vocab.map(([piece, score], id): [string, number] => [control.has(piece) ? `\ud800${id}` : piece, score]);
  }
  const kept: Record<string, number> = Object.assign(Object.create(null), vocab);
  for (const piece of control) {
    delete kept[piece];
  }
  return kept;
}

import { Tokenizer } from '@huggingface/tokenizers';
import { withExactDigits } from './exact-digits.ts';

type PreTokenizer = Tokenizer['pre_tokenizer'];

const GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** White space of Unicode that is none of JavaScript's, and the other way round. */
const DISPUTED = /[\u0085\ufeff]/;

/**
 * Cuts text into words as the reference tokenizer does. The library's `ByteLevel` goes by JavaScript's white space: for
 * texts where that matters a `Split` step, which goes by Unicode's and takes twice as long, stands in front of it.
 */
export class WordCutter {
  readonly #usual: PreTokenizer;
  readonly #step: unknown;
  #exact: PreTokenizer | undefined;

  /** @param usual the library's, made of `step` with exact digits */
  constructor(usual: PreTokenizer, step: unknown) {
    this.#usual = usual;
    this.#step = step;
  }

  /** @param atStart whether nothing precedes the text */
  words(text: string, atStart: boolean): string[] {
    const preTokenizer = DISPUTED.test(text) ? this.#exactly() : this.#usual;
    return preTokenizer === null ? [text] : preTokenizer.pre_tokenize(text, { section_index: atStart ? 0 : 1 });
  }

  #exactly(): PreTokenizer {
    if (this.#exact === undefined) {
      const pre_tokenizer = withExactDigits(withWordsCutFirst(this.#step));
      const model = { type: 'BPE', vocab: {}, merges: [] };
      const plain = { normalizer: null, pre_tokenizer, model, decoder: null, post_processor: null, added_tokens: [] };
      this.#exact = new Tokenizer(plain, {}).pre_tokenizer;
    }
    return this.#exact;
  }
}

function withWordsCutFirst(step: unknown): unknown {
  if (typeof step !== 'object' || step === null || !('type' in step)) return step;
  if (step.type === 'Sequence' && 'pretokenizers' in step && Array.isArray(step.pretokenizers))
    return { ...step, pretokenizers: step.pretokenizers.map(withWordsCutFirst) };
  if (step.type !== 'ByteLevel' || !cutsOnly(step)) return step;
  const split = { type: 'Split', pattern: { Regex: GPT2_WORDS }, behavior: 'Isolated', invert: false };
  return { type: 'Sequence', pretokenizers: [split, { ...step, use_regex: false }] };
}

/** With a space put in front it must come before the words are cut. */
function cutsOnly(byteLevel: object): boolean {
  const useRegex = 'use_regex' in byteLevel ? byteLevel.use_regex : true;
  const prefix = 'add_prefix_space' in byteLevel ? byteLevel.add_prefix_space : true;
  return useRegex !== false && prefix === false;
}

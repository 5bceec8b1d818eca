const BYTES = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true };
const BYTE_LEVEL_GPT2 = { ...BYTES, use_regex: true };
const BYTE_LEVEL = { ...BYTES, use_regex: false };

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2 = LLAMA3.replace('\\p{N}{1,3}', '\\p{N}');
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const TEKKEN = `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** The parts of tokenizer.json that a byte-level BPE's `tokenizer.ggml.pre` stands for. */
export interface PreTokenizer {
  readonly normalizer: { readonly type: string } | null;
  readonly preTokenizer: { readonly type: string };
  /** A word that is a token as a whole is not merged. */
  readonly ignoreMerges: boolean;
}

const gpt2: PreTokenizer = { normalizer: null, preTokenizer: BYTE_LEVEL_GPT2, ignoreMerges: false };
const digits: PreTokenizer = {
  ...gpt2,
  preTokenizer: sequence({ type: 'Digits', individual_digits: true }, BYTE_LEVEL_GPT2),
};
const llama3: PreTokenizer = { normalizer: null, preTokenizer: split(LLAMA3), ignoreMerges: true };
const qwen2: PreTokenizer = { normalizer: { type: 'NFC' }, preTokenizer: split(QWEN2), ignoreMerges: false };
const tekken: PreTokenizer = { normalizer: null, preTokenizer: split(TEKKEN), ignoreMerges: true };

/** By the names that llama.cpp's converter gives (llama-vocab.cpp). */
export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['gpt-2', gpt2],
  ['smollm', digits],
  ['starcoder', digits],
  ['refact', digits],
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['falcon3', llama3],
  ['qwen2', qwen2],
  ['deepseek-r1-qwen', qwen2],
  ['tekken', tekken],
]);

function split(regex: string): PreTokenizer['preTokenizer'] {
  return sequence({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }, BYTE_LEVEL);
}

function sequence(...pretokenizers: readonly object[]): PreTokenizer['preTokenizer'] & { pretokenizers: unknown } {
  return { type: 'Sequence', pretokenizers };
}

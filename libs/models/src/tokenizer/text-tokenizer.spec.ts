import { describe, expect, it } from 'vitest';
import { TextTokenizer } from './text-tokenizer.ts';

/** SmolLM2's pre-tokenizer over a vocabulary that has a token for two spaces. */
const json = JSON.stringify({
  added_tokens: [{ id: 9, content: '<think>', special: false, normalized: false }],
  normalizer: null,
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    ],
  },
  decoder: { type: 'ByteLevel' },
  model: {
    type: 'BPE',
    vocab: {
      ...{ Ġ: 0, ĠĠ: 1, 2: 2, Â: 3, '²': 4, 'Â²': 5, a: 6, '22': 7 },
      ...{ '!': 10, '!Â': 11, ħ: 12, ï: 13, '»': 14, '¿': 15, 'ï»': 16, 'ï»¿': 17, 'ï»¿!': 18, Âħ: 19 },
    },
    merges: ['Ġ Ġ', 'Â ²', '2 2', '! Â', 'Â ħ', 'ï »', 'ï» ¿', 'ï»¿ !'],
  },
});

function encode(text: string): number[] {
  const ids: number[] = [];
  new TextTokenizer(json).encodeInto(ids, text, true);
  return ids;
}

describe('TextTokenizer', () => {
  it('splits at every numeric character where the tokenizer asks for single digits', () => {
    expect(encode('  22')).toEqual([1, 2, 2]);
    expect(encode('  ²²a')).toEqual([1, 5, 5, 6]);
  });

  it('takes for white space what Unicode does, not what JavaScript does', () => {
    expect(encode('!\u0085')).toEqual([10, 19]);
    expect(encode('\ufeff!')).toEqual([18]);
    expect(encode('a\u0085\u0085')).toEqual([6, 19, 19]);
  });

  it('recognises added tokens that are not control tokens in any text', () => {
    expect(encode('a<think>a')).toEqual([6, 9, 6]);
  });
});

import { describe, expect, it } from 'vitest';
import { TextTokenizer } from '../../tokenizer/text-tokenizer.ts';
import { PRE_TOKENIZERS } from './pre-tokenizers.ts';
import { sentencePieceJson } from './sentence-piece.ts';

function words(name: string, text: string): string[] {
  const json = JSON.stringify(PRE_TOKENIZERS.get(name)?.preTokenizer);
  const pattern: string = JSON.parse(json).pretokenizers[0].pattern.Regex;
  return [...text.matchAll(new RegExp(pattern, 'gu'))].map(([word]) => word);
}

describe('PRE_TOKENIZERS', () => {
  it('splits numbers and contractions as the family does', () => {
    expect(words('llama-bpe', "12345 I'LL go!\n\n x")).toEqual(['123', '45', ' I', "'LL", ' go', '!\n\n', ' x']);
    expect(words('qwen2', "123 I'll")).toEqual(['1', '2', '3', ' I', "'ll"]);
    expect(words('tekken', 'HelloWorld 12')).toEqual(['Hello', 'World', ' ', '1', '2']);
  });
});

describe('sentencePieceJson', () => {
  const letters = ['▁', 'h', 'e', 'l', 'o'];
  const merged = ['he', 'll', 'hell', 'hello', '▁hello'];
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...merged, ...letters];
  const scores = tokens.map((token) => (merged.includes(token) ? -merged.indexOf(token) : -100));
  const json = (spaceFirst: boolean) =>
    JSON.stringify({ added_tokens: [], ...sentencePieceJson(tokens, scores, { spaceFirst, unknown: '<unk>' }) });
  const encode = (text: string, spaceFirst: boolean) => {
    const ids: number[] = [];
    new TextTokenizer(json(spaceFirst)).encodeInto(ids, text, true);
    return ids.map((id) => tokens[id]);
  };

  it('finds the merges again that the pieces and their scores stand for', () => {
    const { merges } = JSON.parse(json(true)).model;
    expect(merges).toEqual([
      ['h', 'e'],
      ['l', 'l'],
      ['he', 'll'],
      ['hell', 'o'],
      ['▁', 'hello'],
    ]);
    expect(encode('hello hello', true)).toEqual(['▁hello', '▁hello']);
    expect(encode('hello', false)).toEqual(['hello']);
  });

  it('is as quick with a piece of great length', () => {
    const long = [...tokens, 'x'.repeat(200_000)];
    const { merges } = JSON.parse(
      JSON.stringify(sentencePieceJson(long, [...scores, 0], { spaceFirst: true, unknown: '<unk>' })),
    ).model;
    expect(merges).toHaveLength(5);
  });

  it('writes what has no piece as bytes', () => {
    expect(encode('hé', false)).toEqual(['h', '<0xC3>', '<0xA9>']);
  });
});

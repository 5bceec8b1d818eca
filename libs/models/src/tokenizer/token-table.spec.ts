import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextTokenizer } from './text-tokenizer.ts';
import { tokenTableFromTokenizerJson } from './token-table.ts';
import { UnsupportedTokenizerError } from './unsupported-tokenizer-error.ts';

const byteLevel = readFileSync(
  new URL('../../../../test/fixtures/models/tiny-llama/tokenizer.json', import.meta.url),
  'utf8',
);

/** SentencePiece-style BPE with byte fallback, as Llama 2 has it, of a few pieces. */
const pieces = [
  '<unk>',
  '<s>',
  '</s>',
  ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  '▁',
  'a',
  'b',
  'ab',
  '▁ab',
  'é',
];
const sentencePiece = JSON.stringify({
  added_tokens: [0, 1, 2].map((id) => ({ id, content: pieces[id], special: true, normalized: false })),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  post_processor: null,
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    merges: ['a b', '▁ ab'],
  },
});

function decode(json: string, text: string): string {
  const table = tokenTableFromTokenizerJson(json, 400);
  const ids: number[] = [];
  new TextTokenizer(json).encodeInto(ids, text, true);
  return Buffer.concat(ids.map((id) => table.bytes.subarray(table.offsets[id], table.offsets[id + 1]))).toString(
    'utf8',
  );
}

describe('tokenTableFromTokenizerJson', () => {
  it('has bytes whose concatenation is the text, for byte-level BPE', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => decode(byteLevel, text) === text));
    expect(tokenTableFromTokenizerJson(byteLevel, 384).stripLeadingSpace).toBe(false);
  });

  it('has bytes whose concatenation is a space and the text, for SentencePiece with byte fallback', () => {
    const unit = fc.constantFrom('a', 'b', 'ab', ' ', 'é', '🙂', '<s>', '</s>', '\n', 'ü');
    const text = fc.array(unit, { minLength: 1 }).map((parts) => parts.join(''));
    fc.assert(fc.property(text, (value) => decode(sentencePiece, value) === ` ${value}`));
    expect(tokenTableFromTokenizerJson(sentencePiece, 400).stripLeadingSpace).toBe(true);
  });

  it('gives control tokens and ids beyond the tokenizer no bytes', () => {
    const table = tokenTableFromTokenizerJson(sentencePiece, 400);
    expect([...table.special.subarray(0, 4)]).toEqual([1, 1, 1, 0]);
    expect(table.offsets).toHaveLength(401);
    expect(table.offsets[3]).toBe(0);
    expect(table.offsets[400]).toBe(table.offsets[pieces.length]);
  });

  it('gives added tokens that are not control tokens the bytes of their text', () => {
    const json = JSON.parse(byteLevel);
    json.added_tokens.push(
      { id: 382, content: '<think>', special: false },
      { id: 383, content: '<｜User｜>', special: false },
    );
    const table = tokenTableFromTokenizerJson(JSON.stringify(json), 384);
    expect(Buffer.from(table.bytes.subarray(table.offsets[382], table.offsets[383])).toString()).toBe('<think>');
    expect([...table.special.subarray(382)]).toEqual([0, 1]);
  });

  it.each([
    ['WordPiece', { model: { type: 'WordPiece', vocab: {} } }, /model type is WordPiece/],
    ['no JSON', '{', /not JSON/],
    ['no model', {}, /field model/],
    [
      'an unknown decoder',
      { model: { type: 'BPE', vocab: {} }, decoder: { type: 'Fuse' } },
      /neither byte-level nor SentencePiece/,
    ],
  ])('refuses %s', (_, json, message) => {
    const text = typeof json === 'string' ? json : JSON.stringify(json);
    expect(() => tokenTableFromTokenizerJson(text, 10)).toThrow(UnsupportedTokenizerError);
    expect(() => tokenTableFromTokenizerJson(text, 10)).toThrow(message);
  });
});

import { describe, expect, it } from 'vitest';
import type { TokenTable } from '#contracts';
import { constraintGrammar, type HeldConstraint } from './constraint-grammar.ts';
import { flatGrammar, grammarOfFlat } from './flat-grammar.ts';
import { GrammarConstraints } from './grammar-constraints.ts';
import type { GrammarNode } from './grammar-node.ts';

const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const offsets = Uint32Array.from({ length: 257 }, (_, token) => token);
const TABLE: TokenTable = { bytes, offsets, special: new Uint8Array(256), stripLeadingSpace: false };

const json = (schema: unknown): HeldConstraint => ({ type: 'json_schema', schema }) as HeldConstraint;
/** With what fits each of them, and what does not. */
const CASES: readonly [string, HeldConstraint, fits: string, not: string][] = [
  ['any object', { type: 'json_object' }, '{"a":[1,{"b":null}]}', '[1]'],
  ['text of a length', json({ type: 'string', minLength: 2, maxLength: 3 }), '"äb"', '"a"'],
  ['text of any length', json({ type: 'string', minLength: 2 }), '"abcdefgh"', '"a"'],
  ['a pattern', json({ type: 'string', pattern: '^[a-c]{2,4}\\d+$' }), '"abc12"', '"ad1"'],
  [
    'lists',
    json({ type: 'array', minItems: 2, items: { type: 'integer', minimum: -5, maximum: 12 } }),
    '[1,12]',
    '[1]',
  ],
  [
    'a tree that refers to itself',
    json({ type: 'object', properties: { next: { anyOf: [{ type: 'null' }, { $ref: '#' }] } }, required: ['next'] }),
    '{"next":{"next":null}}',
    '{"next":1}',
  ],
  [
    'rules that begin with themselves',
    { type: 'grammar', grammar: 'start: sum\nsum: sum "+" N | N\nN: /[0-9]+/' },
    '1+23+4',
    '1+-',
  ],
];

function* nodesOf(start: GrammarNode): Generator<GrammarNode> {
  const seen = new Set([start]);
  for (const node of seen) {
    yield node;
    for (const value of Object.values(node).flat()) {
      const next = value?.target ?? value;
      if (typeof next === 'object' && 'kind' in next) seen.add(next);
    }
  }
}

describe('a grammar as numbers', () => {
  it.each(CASES)('is the same grammar again: %s', (_, constraint, fits, not) => {
    const grammar = constraintGrammar(constraint);
    const flat = flatGrammar(grammar);
    expect(flat.buffer).toBeInstanceOf(SharedArrayBuffer);
    const again = grammarOfFlat(structuredClone(flat));
    expect(flatGrammar(again)).toEqual(flat);
    // Each node by itself, and as many: what several refer to is one node still.
    const [all, allAgain] = [[...nodesOf(grammar)], [...nodesOf(again)]];
    expect(allAgain.map(({ kind }) => kind)).toEqual(all.map(({ kind }) => kind));
    const own = (node: GrammarNode) => Object.values(node).filter((value) => typeof value === 'number');
    expect(allAgain.map(own)).toEqual(all.map(own));

    const constraints = new GrammarConstraints(TABLE, 256);
    const accepts = (text: string, translated: Int32Array | null): boolean => {
      using match = constraints.create(constraint, [], translated);
      for (const byte of Buffer.from(text)) {
        const allowed = match.allowedTokens();
        if (((allowed[byte >> 5] ?? 0) & (1 << (byte & 31))) === 0 || !match.accept(byte)) return false;
      }
      return true;
    };
    expect([accepts(fits, flat), accepts(not, flat)]).toEqual([true, false]);
  });

  it('is what answers are held to, where one is given', () => {
    const constraints = new GrammarConstraints(TABLE, 256);
    const other = flatGrammar(constraintGrammar(json({ const: true })));
    using match = constraints.create(json({ const: 'text' }), [], other);
    const allowed = match.allowedTokens();
    const may = (character: string) =>
      ((allowed[character.charCodeAt(0) >> 5] ?? 0) >> (character.charCodeAt(0) & 31)) & 1;
    expect([may('t'), may('"')]).toEqual([1, 0]);
  });

  it('is written and read without a call for each node on the way, however long a text is', () => {
    const long = json({ const: 'x'.repeat(50_000) });
    const flat = flatGrammar(constraintGrammar(long));
    expect(flatGrammar(grammarOfFlat(flat))).toEqual(flat);
  });
});

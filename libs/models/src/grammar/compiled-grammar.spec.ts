import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenTable } from '#contracts';
import { CompiledGrammar } from './compiled-grammar.ts';
import { GrammarMatch } from './grammar-match.ts';
import type { GrammarState } from './grammar-states.ts';
import { GrammarStates } from './grammar-states.ts';
import { SchemaGrammar } from './schema-grammar.ts';
import { TokenTrie } from './token-trie.ts';

function tableOf(tokens: readonly string[]): TokenTable {
  const pieces = tokens.map((token) => Buffer.from(token, 'latin1'));
  const offsets = new Uint32Array(pieces.length + 1);
  for (const [token, piece] of pieces.entries()) offsets[token + 1] = offsets[token] + piece.length;
  return { bytes: Buffer.concat(pieces), offsets, special: new Uint8Array(pieces.length), stripLeadingSpace: false };
}

const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
/** Every byte, words that cross the borders of a document's parts, parts of characters, a twin, and control tokens. */
const TOKENS = [
  ...BYTES,
  '{"',
  '":',
  '"a"',
  'aa',
  'aaaa',
  'ab',
  'a"',
  '","',
  '"}',
  ', ',
  '\u00c3\u00a9',
  'a\u00c3',
  'aa',
  '',
  '',
];
const TABLE = tableOf(TOKENS);

const SCHEMAS: readonly object[] = [
  { type: 'object', properties: { a: { type: 'string' }, ab: { enum: ['a', 'aa', 'é'] } } },
  { type: 'string', minLength: 20, maxLength: 40 },
  {
    type: 'array',
    items: {
      anyOf: [
        { type: 'string', maxLength: 9 },
        { type: 'string', pattern: '^a+b$' },
      ],
    },
  },
  { type: 'string', pattern: '^(aab|a|é)*ab$', maxLength: 30 },
  { type: 'object' },
  { $defs: { n: { type: 'array', items: { $ref: '#/$defs/n' } } }, $ref: '#/$defs/n' },
];

function bitsOf(mask: Int32Array): number[] {
  return TOKENS.flatMap((_, token) => ((mask[token >>> 5] >>> (token & 31)) & 1 ? [token] : []));
}

/** What a text goes on with as far as it has no choice, found by trying every byte. */
function onlyText(states: GrammarStates, from: GrammarState): string {
  let text = '';
  for (let state: GrammarState = from; !state.accepting && text.length < 64; ) {
    const next = BYTES.flatMap((byte, code) => {
      const behind = states.step(state, code);
      return behind === null ? [] : [{ byte, behind }];
    });
    if (next.length !== 1) break;
    text += next[0]!.byte;
    state = next[0]!.behind;
  }
  return text;
}

/** Of tokens that fit those that may be taken: all, or the longest where what has to come ends no longer token. */
function taken(fitting: readonly number[], text: string): readonly number[] {
  if (text === '' || TOKENS.some((token) => token.length > text.length && token.startsWith(text))) return fitting;
  const longest = Math.max(...fitting.map((id) => TOKENS[id]!.length));
  return fitting.filter((id) => TOKENS[id]!.length === longest);
}

describe('a grammar that meets a vocabulary', () => {
  it('allows exactly the tokens whose bytes may come next, of a text without a choice the longest, one after another', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SCHEMAS), fc.array(fc.nat(), { maxLength: 60 }), (schema, choices) => {
        const node = SchemaGrammar.compile(schema);
        const match = new GrammarMatch(new CompiledGrammar(node, new TokenTrie(TABLE, TOKENS.length + 9)), []);
        const states = new GrammarStates(node);
        let state: GrammarState | null = states.start;
        for (const pick of choices) {
          const allowed = bitsOf(match.allowedTokens());
          const from: GrammarState | null = state;
          const fits = (token: string): boolean =>
            token !== '' &&
            Buffer.from(token, 'latin1').reduce<GrammarState | null>((s, byte) => s && states.step(s, byte), from) !==
              null;
          const fitting = TOKENS.flatMap((token, id) => (fits(token) ? [id] : []));
          expect(allowed).toEqual(from === null ? fitting : taken(fitting, onlyText(states, from)));
          if (allowed.length === 0) return;
          const token = allowed[pick % allowed.length];
          expect(match.accept(token)).toBe(true);
          for (const byte of Buffer.from(TOKENS[token], 'latin1')) state = state && states.step(state, byte);
        }
      }),
      { numRuns: 60 },
    );
  });

  const closed = (properties: Record<string, object>) => ({
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  });

  it('leaves how a text is spelt to the model where a token may reach beyond what it has no choice in, or a byte has none', () => {
    const held = (schema: object, tokens: readonly string[], written: string) => {
      const trie = new TokenTrie(tableOf(tokens), tokens.length);
      const match = new GrammarMatch(new CompiledGrammar(SchemaGrammar.compile(schema), trie), []);
      for (const id of trie.spell(Buffer.from(written))) expect(match.accept(id)).toBe(true);
      const mask = match.allowedTokens();
      return tokens.filter((_, id) => (mask[id >>> 5] >>> (id & 31)) & 1);
    };
    const schema = closed({ name: { enum: ['north', 'south'] } });
    const words = [...BYTES, '"na', 'name', 'name"', '":', '":"', '": "s', 'orth', 'ort'];
    expect(held(schema, words, '{"')).toEqual(['name"']);
    // Behind the colon the model has a choice, and tokens that cross it.
    expect(held(schema, words, '{"name')).toEqual(['"', '":', '":"', '": "s']);
    expect(held(schema, words, '{"name":"n')).toEqual(['orth']);
    // Nothing but "or" has an r: "orth" could not be told to its end, were it the only way to write it.
    const withoutR = words.filter((word) => word !== 'r');
    expect(held(schema, withoutR, '{"name":"n')).toEqual(['o', 'orth', 'ort']);
  });

  it('expects what has to come, and spaces as they were written before', () => {
    const words = [...BYTES, 'first', 'second', '":', ' "', ',"', ', "', 'true'];
    const trie = new TokenTrie(tableOf(words), words.length);
    const schema = closed({ first: { type: 'string' }, second: { const: true } });
    const match = new GrammarMatch(new CompiledGrammar(SchemaGrammar.compile(schema), trie), []);
    const write = (text: string) => {
      for (const id of trie.spell(Buffer.from(text))) expect(match.accept(id)).toBe(true);
    };
    const expected = (most = 20) => match.expectedTokens(most).map((id) => words[id]);
    expect(expected()).toEqual(['{', '"', 'first', '":', ' "']);
    expect(expected(2)).toEqual(['{', '"']);
    write('{"first":');
    expect(expected()).toEqual([' "']);
    write('"a');
    expect(expected()).toEqual([]);
    write('"');
    expect(expected()).toEqual([',"', 'second', '":', 'true', '}']);
    write(', ');
    expect(expected()).toEqual(['"', 'second', '":', ' ', 'true', '}']);
    write('"second": true}');
    expect(expected()).toEqual([]);
  });

  it('goes on where it was after its states were forgotten', () => {
    const states = new GrammarStates(
      SchemaGrammar.compile({ type: 'array', items: { type: 'string', maxLength: 300 } }),
    );
    const walk = (text: string, from: GrammarState): GrammarState =>
      Buffer.from(text).reduce((state, byte) => states.step(state, byte) as GrammarState, from);
    const before = walk('["abc","de', states.start);
    states.forget();
    const after = states.adopt(before);
    expect(after).not.toBe(before);
    expect(after).toBe(walk('["xyz","fg', states.start));
    expect(walk('"]', after).accepting).toBe(true);
  });

  it('counts characters, so a long bound costs no more than a short one', () => {
    const trie = new TokenTrie(TABLE, TOKENS.length);
    const grammar = new CompiledGrammar(SchemaGrammar.compile({ type: 'string', maxLength: 20_000 }), trie);
    const match = new GrammarMatch(grammar, []);
    match.accept(TOKENS.indexOf('"'));
    for (let index = 0; index < 4_999; index++) {
      match.allowedTokens();
      match.accept(TOKENS.indexOf('aaaa'));
    }
    expect(grammar.bytes).toBeLessThan(64 * 2 ** 20);
    match.accept(TOKENS.indexOf('aa'));
    expect(bitsOf(match.allowedTokens())).not.toContain(TOKENS.indexOf('aaaa'));
    match.accept(TOKENS.indexOf('aa'));
    expect(bitsOf(match.allowedTokens())).toEqual([TOKENS.indexOf('"')]);
  });

  it('gives up where too many alternatives go on side by side', () => {
    const anyOf = Array.from({ length: 1_000 }, (_, index) => ({ type: 'string', maxLength: 10 + index }));
    const trie = new TokenTrie(
      tableOf(Array.from({ length: 20_000 }, (_, index) => `"${(index * 7_919).toString(16)}`)),
      20_000,
    );
    const match = new GrammarMatch(new CompiledGrammar(SchemaGrammar.compile({ anyOf }), trie), []);
    const startMs = performance.now();
    expect(() => match.allowedTokens()).toThrow('alternatives');
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(() => match.prepare(0)).toThrow('alternatives');
  });

  it('gives up on a mask that is made in pieces, too', () => {
    const anyOf = Array.from({ length: 1_000 }, (_, index) => ({ type: 'string', maxLength: 10 + index }));
    const tokens = Array.from({ length: 20_000 }, (_, index) => `"${(index * 7_919).toString(16)}`);
    const trie = new TokenTrie(tableOf(tokens), tokens.length);
    const match = new GrammarMatch(new CompiledGrammar(SchemaGrammar.compile({ anyOf }), trie), []);
    expect(() => {
      while (!match.prepare(0));
    }).toThrow('alternatives');
  });

  it('makes the same masks in pieces as at once, also where two answers take turns at them', () => {
    const trie = new TokenTrie(TABLE, TOKENS.length);
    let pauses = 0;
    fc.assert(
      fc.property(fc.constantFrom(...SCHEMAS), fc.array(fc.nat(), { maxLength: 12 }), (schema, choices) => {
        const pieces = new CompiledGrammar(SchemaGrammar.compile(schema), trie);
        const [one, other] = [new GrammarMatch(pieces, []), new GrammarMatch(pieces, [])];
        const whole = new GrammarMatch(new CompiledGrammar(SchemaGrammar.compile(schema), trie), []);
        for (const choice of choices) {
          for (let ready = false; !ready; ) {
            ready = one.prepare(0);
            const otherReady = other.prepare(0);
            ready &&= otherReady;
            if (!ready) pauses += 1;
          }
          const allowed = bitsOf(whole.allowedTokens());
          expect(bitsOf(one.allowedTokens())).toEqual(allowed);
          expect(bitsOf(other.allowedTokens())).toEqual(allowed);
          if (allowed.length === 0) return;
          for (const match of [one, other, whole]) match.accept(allowed[choice % allowed.length]);
        }
      }),
      { numRuns: 60 },
    );
    expect(pauses).toBeGreaterThan(100);
  });
});

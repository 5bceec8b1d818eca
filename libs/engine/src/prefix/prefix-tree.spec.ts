import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixTree } from './prefix-tree.ts';

const BLOCK_TOKENS = 4;
const tokens = (text: string) => Int32Array.from(text, (character) => character.charCodeAt(0));

/** A tree whose blocks hold characters, so that what a hit brings can be read. */
class ReadableTree {
  readonly tree: PrefixTree;
  readonly blocks: string[];

  constructor(blocks: number) {
    this.tree = new PrefixTree(blocks, BLOCK_TOKENS);
    this.blocks = Array(blocks).fill('');
  }

  keep(text: string, scope = '', length = text.length, hasState = false): void {
    const fill = (block: number, from: number, count: number) => {
      this.blocks[block] = text.slice(from, from + count);
    };
    this.tree.extend(scope, tokens(text), length, fill, hasState);
  }

  /** With the states behind the end. */
  keepState(text: string, length = text.length): void {
    this.keep(text, '', length, true);
  }

  findState(text: string, limit = text.length): { found: string; keptTokens: number } {
    const { parts, keptTokens } = this.tree.findState('', tokens(text), limit);
    return { found: parts.map(({ block, tokens: count }) => this.blocks[block]!.slice(0, count)).join(''), keptTokens };
  }

  find(text: string, scope = '', limit = text.length): string {
    const parts = this.tree.find(scope, tokens(text), limit);
    return parts.map(({ block, tokens: count }) => this.blocks[block]!.slice(0, count)).join('');
  }
}

const commonBeginning = (a: string, b: string): string => {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
};

describe('PrefixTree', () => {
  it('finds the longest kept beginning, to the token', () => {
    const kept = new ReadableTree(20);
    kept.keep('you are a helper. hello');
    expect(kept.find('you are a helper. hello')).toBe('you are a helper. hello');
    expect(kept.find('you are a helper. help me')).toBe('you are a helper. hel');
    expect(kept.find('you are a helper. hello', '', 10)).toBe('you are a ');
    expect(kept.find('yours')).toBe('you');
    expect(kept.find('me')).toBe('');
    expect(kept.find('')).toBe('');
  });

  it('keeps what prompts share once', () => {
    const kept = new ReadableTree(20);
    kept.keep('12345678abcdefgh');
    kept.keep('12345678ABCDEFGH');
    expect(kept.tree.usedBlocks).toBe(6);
    kept.keep('12345678abcdefgh');
    expect(kept.tree.usedBlocks).toBe(6);
  });

  it('grows with a conversation, and lets the half block at the end of a turn go', () => {
    const kept = new ReadableTree(20);
    kept.keep('1234567');
    expect(kept.tree.usedBlocks).toBe(2);
    expect(kept.find('123456789012')).toBe('1234567');
    kept.keep('123456789012');
    expect(kept.tree.usedBlocks).toBe(3);
    expect(kept.find('12345678901234')).toBe('123456789012');
  });

  it('shows a scope nothing of another', () => {
    const kept = new ReadableTree(20);
    kept.keep('12345678', 'a');
    expect(kept.find('12345678', 'b')).toBe('');
    kept.keep('12345678', 'b');
    expect(kept.tree.usedBlocks).toBe(4);
    kept.tree.forget('a', tokens('12345678'));
    expect(kept.find('12345678', 'a')).toBe('');
    expect(kept.find('12345678', 'b')).toBe('12345678');
  });

  it('gives up what was unused for longest, ends before beginnings', () => {
    const kept = new ReadableTree(4);
    kept.keep('aaaabbbb');
    kept.keep('ccccdddd');
    expect(kept.find('aaaabbbb')).toBe('aaaabbbb');
    kept.keep('eeee');
    expect(kept.find('ccccdddd')).toBe('cccc');
    kept.keep('ffffgggg');
    expect([kept.find('aaaabbbb'), kept.find('ccccdddd')]).toEqual(['', 'cccc']);
    expect(kept.tree.evictions).toBe(3);
  });

  it('keeps the beginning of a prompt that is longer than all blocks', () => {
    const kept = new ReadableTree(3);
    kept.keep('0123456789abcdefghij');
    expect(kept.find('0123456789abcdefghij')).toBe('0123456789ab');
  });

  it('keeps nothing without blocks', () => {
    const kept = new ReadableTree(0);
    kept.keep('0123456789');
    expect(kept.find('0123456789')).toBe('');
  });

  it('brings right tokens only, and with room enough the longest beginning ever kept', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 30 });
    const action = fc.record({
      text,
      scope: fc.constantFrom('x', 'y'),
      kind: fc.constantFrom('keep', 'keep', 'find', 'find', 'forget'),
      limit: fc.integer({ min: 1, max: 30 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        fc.array(action, { maxLength: 60 }),
        (few, roomy, actions) => {
          const blocks = roomy ? 1_000 : few;
          const kept = new ReadableTree(blocks);
          const known: { scope: string; text: string }[] = [];
          for (const { kind, text: asked, scope, limit } of actions) {
            if (kind === 'keep') {
              const length = Math.min(limit, asked.length);
              kept.keep(asked, scope, length);
              known.push({ scope, text: asked.slice(0, length) });
            } else if (kind === 'forget') {
              kept.tree.forget(scope, tokens(asked));
              for (let i = known.length - 1; i >= 0; i--) if (known[i]!.scope === scope) known.splice(i, 1);
              expect(asked.startsWith(kept.find(asked, scope))).toBe(true);
            } else {
              const found = kept.find(asked, scope, limit);
              expect(asked.slice(0, limit).startsWith(found)).toBe(true);
              const most = known
                .filter((entry) => entry.scope === scope)
                .map((entry) => commonBeginning(entry.text, asked.slice(0, limit)).length);
              // What two half blocks at one place share, only one of them keeps.
              if (roomy)
                expect(found.length).toBeGreaterThanOrEqual(
                  Math.floor(Math.max(0, ...most) / BLOCK_TOKENS) * BLOCK_TOKENS,
                );
            }
            expect(kept.tree.usedBlocks).toBeLessThanOrEqual(blocks);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('PrefixTree where slots have states', () => {
  it('finds beginnings that end where states were kept, and tells how far keys and values go', () => {
    const kept = new ReadableTree(20);
    kept.keepState('1234567890abcdefgh', 8);
    kept.keepState('1234567890abcdefgh');
    expect(kept.findState('1234567890abcdefgh!')).toEqual({ found: '1234567890abcdefgh', keptTokens: 16 });
    // Of the block behind the eighth token there are no states, and none within a block.
    expect(kept.findState('1234567890ab and more')).toEqual({ found: '12345678', keptTokens: 12 });
    expect(kept.findState('1234567890abcdefg')).toEqual({ found: '12345678', keptTokens: 16 });
    expect(kept.findState('12345678', 7)).toEqual({ found: '', keptTokens: 4 });
    expect(kept.findState('1234')).toEqual({ found: '', keptTokens: 4 });
    expect(kept.findState('else')).toEqual({ found: '', keptTokens: 0 });
  });

  it('takes states for blocks that are there already, and for ends of prompts within blocks of others', () => {
    const kept = new ReadableTree(20);
    kept.keepState('12345678abcdefgh');
    kept.keepState('12345678ABCDEFGH', 8);
    expect(kept.tree.usedBlocks).toBe(4);
    expect(kept.findState('12345678!').found).toBe('12345678');
    kept.keepState('12345678ab');
    expect(kept.tree.usedBlocks).toBe(5);
    expect(kept.findState('12345678abxyz').found).toBe('12345678ab');
    kept.keepState('12345678ab');
    expect(kept.tree.usedBlocks).toBe(5);
  });

  it('gives states up with their blocks', () => {
    const kept = new ReadableTree(3);
    kept.keepState('12345678');
    kept.keepState('abcdefgh');
    expect(kept.tree.evictions).toBe(1);
    expect(kept.findState('12345678!')).toEqual({ found: '', keptTokens: 4 });
    expect(kept.findState('abcdefgh!').found).toBe('abcdefgh');
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteTree, byteTree } from './byte-tree.ts';
import {
  alikeUnder,
  type CharacterSet,
  characterSet,
  contains,
  LAST_CODE_POINT,
  rangesOf,
  union,
} from './character-set.ts';
import { unicodeProperty } from './unicode-property.ts';
import { utf8Ranges } from './utf8-ranges.ts';

const codePoint = fc.oneof(fc.nat(300), fc.nat(LAST_CODE_POINT));
const anySet = fc
  .array(fc.tuple(codePoint, fc.nat(5_000)), { maxLength: 12 })
  .map((ranges) => characterSet(ranges.map(([first, more]) => [first, Math.min(first + more, LAST_CODE_POINT)])));
const isSurrogate = (point: number) => point >= 0xd800 && point <= 0xdfff;

function takes(tree: ByteTree, bytes: readonly number[]): boolean {
  const [byte, ...rest] = bytes;
  return tree.edges.some(({ range, rest: next }) => {
    if (byte === undefined || byte < range[0] || byte > range[1]) return false;
    return next === null ? rest.length === 0 : takes(next, rest);
  });
}

/** All trees of a tree. */
function treesOf(tree: ByteTree, found = new Set<ByteTree>()): Set<ByteTree> {
  if (!found.has(tree)) {
    found.add(tree);
    for (const { rest } of tree.edges) if (rest !== null) treesOf(rest, found);
  }
  return found;
}

describe('unicodeProperty', () => {
  it.each(['L', 'P', 'C', 'Co', 'Noncharacter_Code_Point', 'Emoji', 'Script=Greek', 'Script=Unknown', 'Any', 'ASCII'])(
    'has exactly the characters of %s',
    (name) => {
      const expression = new RegExp(`^\\p{${name}}$`, 'u');
      const set = unicodeProperty(name);
      const wrong: number[] = [];
      for (let point = 0; point <= LAST_CODE_POINT; point++) {
        if (isSurrogate(point)) continue;
        if (contains(set, point) !== expression.test(String.fromCodePoint(point))) wrong.push(point);
      }
      expect(wrong).toEqual([]);
    },
  );
});

describe('alikeUnder', () => {
  it('has every character once, beside those that are in the same sets', () => {
    fc.assert(
      fc.property(fc.array(anySet, { maxLength: 5 }), fc.array(codePoint, { minLength: 1 }), (sets, points) => {
        const alike = alikeUnder(sets);
        const sizes = alike.flatMap(rangesOf).map(([first, last]) => last - first + 1);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(LAST_CODE_POINT + 1);
        expect(union(...alike)).toEqual([0, LAST_CODE_POINT]);
        const holders = (point: number) => sets.map((set) => contains(set, point)).join();
        for (const point of points) {
          const own = alike.filter((set) => contains(set, point));
          expect(own).toHaveLength(1);
          for (const [first, last] of rangesOf(own[0] as CharacterSet)) {
            expect([holders(first), holders(last)]).toEqual([holders(point), holders(point)]);
          }
        }
        expect(new Set(alike.map(([first]) => holders(first as number))).size).toBe(alike.length);
      }),
    );
  });
});

describe('byteTree', () => {
  it('takes the UTF-8 of the characters of a set and no other, each byte by one edge', () => {
    fc.assert(
      fc.property(anySet, fc.array(codePoint), (set, points) => {
        const tree = byteTree(utf8Ranges(set));
        for (const point of [...points, ...set].filter((each) => !isSurrogate(each))) {
          const bytes = [...Buffer.from(String.fromCodePoint(point))];
          expect(takes(tree, bytes)).toBe(contains(set, point));
          expect(takes(tree, bytes.slice(0, -1))).toBe(false);
        }
        for (const { edges } of treesOf(tree)) {
          const lasts = edges.map(({ range }) => range).sort((a, b) => a[0] - b[0]);
          for (const [index, [first]] of lasts.entries()) expect(first).toBeGreaterThan(lasts[index - 1]?.[1] ?? -1);
        }
      }),
    );
  });

  it('of all letters is some hundred trees', () => {
    const sequences = utf8Ranges(unicodeProperty('L'));
    expect(sequences.length).toBeGreaterThan(700);
    expect(treesOf(byteTree(sequences)).size).toBeLessThan(400);
  });
});

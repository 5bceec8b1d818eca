import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PromptLookup } from './prompt-lookup.ts';

function lookupOf(tokenIds: readonly number[]): PromptLookup {
  const lookup = new PromptLookup();
  for (const tokenId of tokenIds) lookup.append(tokenId);
  return lookup;
}

/** What followed the last three tokens, or else two, the latest time. */
function plainSource(tokenIds: readonly number[]): number {
  for (const tokens of [3, 2]) {
    const last = tokenIds.slice(-tokens).join();
    for (let position = tokenIds.length - 1; position >= tokens; position--) {
      if (tokenIds.slice(position - tokens, position).join() === last && tokenIds.length >= tokens) return position;
    }
  }
  return -1;
}

describe('PromptLookup', () => {
  it('proposes what followed the last three tokens', () => {
    const lookup = lookupOf([1, 2, 3, 4, 5, 6, 9, 1, 2, 3]);
    expect(lookup.propose(3)).toEqual([4, 5, 6]);
    expect([lookup.expected, lookup.certainty]).toEqual([4, 1]);
  });

  it('takes two tokens where three were never together, and prefers three to a later place of two', () => {
    expect(lookupOf([8, 2, 3, 4, 5, 9, 2, 3]).propose(2)).toEqual([4, 5]);
    expect(lookupOf([1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3]).propose(1)).toEqual([4]);
  });

  it('takes the latest of several places', () => {
    expect(lookupOf([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3]).propose(2)).toEqual([5, 1]);
  });

  it('knows nothing without a place', () => {
    for (const tokens of [[], [1], [1, 2], [1, 2, 3, 4]]) {
      const lookup = lookupOf(tokens);
      expect(lookup.propose(4)).toEqual([]);
      expect([lookup.expected, lookup.certainty]).toEqual([-1, -1]);
    }
  });

  it('goes on where the text ends, as a text that repeats itself does', () => {
    expect(lookupOf([7, 1, 2, 1, 2]).propose(5)).toEqual([1, 2, 1, 2, 1]);
    expect(lookupOf([4, 4, 4, 4]).propose(3)).toEqual([4, 4, 4]);
  });

  it('stays with a place while its tokens come, whatever stood behind the last ones later, and is ever more certain', () => {
    const lookup = lookupOf([1, 2, 3, 4, 5, 6, 7, 3, 4, 5, 9, 1, 2]);
    const certainties = [];
    for (const token of [3, 4, 5]) {
      certainties.push(lookup.certainty);
      lookup.append(token);
    }
    expect(certainties).toEqual([0, 1, 2]);
    expect([lookup.expected, lookup.certainty]).toEqual([6, 3]);
    lookup.append(8);
    expect(lookup.expected).toBe(-1);
  });

  it('starts where a plain search does, and proposes what stands in the text, for any text', () => {
    const text = fc.array(fc.nat(4), { maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (tokenIds, count) => {
        const lookup = new PromptLookup();
        const seen: number[] = [];
        for (const tokenId of tokenIds) {
          const followed = lookup.expected === tokenId;
          lookup.append(tokenId);
          seen.push(tokenId);
          if (!followed) expect(lookup.expected).toBe(seen[plainSource(seen)] ?? -1);
          const proposals = lookup.propose(count);
          expect(proposals).toHaveLength(lookup.expected < 0 ? 0 : count);
          expect(proposals[0] ?? -1).toBe(lookup.expected);
          const ngram = [...seen.slice(-2), ...proposals];
          if (proposals.length > 0) expect([...seen, ...proposals].join().includes(ngram.join())).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

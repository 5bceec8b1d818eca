import { describe, expect, it } from 'vitest';
import { SpeculationPace } from './speculation-pace.ts';

const DECODE_MS = 8;

/** A machine on which verifying takes `fixedMs` and `tokenMs` for each token. */
function paceOn(fixedMs: number, tokenMs: number, past = 100): SpeculationPace {
  const pace = new SpeculationPace();
  for (let i = 0; i < 20; i++) {
    pace.decoded(DECODE_MS);
    for (const tokens of [2, 4, 8, 12]) pace.verified(tokens, past, fixedMs + tokens * tokenMs);
  }
  return pace;
}

const always = (chance: number) => () => chance;

describe('SpeculationPace', () => {
  it('proposes nothing before it knows what decoding takes, and a few tokens before it knows what verifying does', () => {
    const pace = new SpeculationPace();
    expect(pace.payingProposals(8, 0, always(1))).toBe(0);
    pace.decoded(DECODE_MS);
    expect(pace.payingProposals(8, 0, always(0.1))).toBe(3);
    expect(pace.payingProposals(2, 0, always(0.1))).toBe(2);
    pace.verified(4, 0, 9);
    expect(pace.payingProposals(8, 0, always(0.01))).toBe(0);
  });

  it('proposes all that is allowed where it is right and tokens cost little, and nothing where it is wrong', () => {
    const pace = paceOn(7, 0.5);
    expect(pace.payingProposals(15, 100, always(0.98))).toBe(15);
    expect(pace.payingProposals(4, 100, always(0.98))).toBe(4);
    expect(pace.payingProposals(15, 100, always(0.02))).toBe(0);
  });

  it('proposes fewer tokens the less likely they are right', () => {
    const pace = paceOn(7, 0.9);
    const counts = [0.95, 0.8, 0.6, 0.4].map((chance) => pace.payingProposals(15, 100, always(chance)));
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(new Set(counts).size).toBe(4);
    expect(counts[3]).toBeGreaterThan(0);
  });

  it('proposes nothing where a verification takes longer than the tokens that it gives, however likely they are', () => {
    const pace = paceOn(40, 10);
    expect(pace.payingProposals(3, 100, always(0.9))).toBe(0);
  });

  it('expects verification to take longer with more past, as attention over it does', () => {
    const pace = new SpeculationPace();
    pace.decoded(DECODE_MS);
    for (const past of [0, 200, 400, 600, 800]) {
      for (const tokens of [2, 4, 8]) pace.verified(tokens, past, 8 + 0.02 * past + 0.5 * tokens);
    }
    expect(pace.payingProposals(2, 0, always(0.8))).toBe(2);
    expect(pace.payingProposals(2, 4_000, always(0.8))).toBe(0);
  });

  it('looks again, ever more seldom, whether what was too slow still is, and only where much would be gained', () => {
    const pace = paceOn(60, 10);
    const looks = (chance: number) => {
      let count = 0;
      for (let token = 0; token < 1_000; token++) {
        if (pace.payingProposals(4, 100, always(chance)) > 0) {
          count += 1;
          pace.verified(5, 100, 110);
        } else pace.decoded(DECODE_MS);
      }
      return count;
    };
    expect(looks(0.3)).toBe(0);
    expect(looks(0.9)).toBe(5);
    expect(looks(0.9)).toBeLessThanOrEqual(1);
  });

  it('finds out by itself that verification has become quick', () => {
    const pace = paceOn(60, 10);
    let verified = 0;
    for (let token = 0; token < 1_000; token++) {
      const proposals = pace.payingProposals(4, 100, always(0.9));
      if (proposals > 0) {
        verified += 1;
        pace.verified(1 + proposals, 100, 9);
      } else pace.decoded(DECODE_MS);
    }
    expect(verified).toBeGreaterThan(500);
  });
});

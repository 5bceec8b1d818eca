import { describe, expect, it } from 'vitest';
import { PrefillCost } from './prefill-cost.ts';

/** Milliseconds of the shipped model's chunks on two cores, and of a model that relates its terms otherwise. */
const measured = (tokens: number, past: number) => 6.4 + 0.95 * tokens + 0.0056 * past + 0.00053 * tokens * past;
const otherwise = (tokens: number, past: number) => 20 + 4 * tokens + 0.001 * past + 0.0001 * tokens * past;

function learnt(msOf: typeof measured, chunkTokens: (run: number) => number, runs: number): PrefillCost {
  const cost = new PrefillCost();
  for (let run = 0, past = 0; run < runs; run++) {
    const tokens = chunkTokens(run);
    cost.learn(tokens, past, msOf(tokens, past));
    past += tokens;
  }
  return cost;
}

const error = (cost: PrefillCost, msOf: typeof measured, tokens: number, past: number) =>
  Math.abs(cost.msOf(tokens, past) / msOf(tokens, past) - 1);

describe('PrefillCost', () => {
  it('knows what chunks of the usual proportions take after a few runs, at any past', () => {
    const cost = learnt(measured, () => 64, 4);
    for (const tokens of [4, 16, 64])
      for (const past of [0, 256]) expect(error(cost, measured, tokens, past)).toBeLessThan(0.2);
    expect(error(cost, measured, 16, 4_000)).toBeLessThan(0.4);
  });

  it('follows a past that grows, with chunks of one length', () => {
    for (const msOf of [measured, otherwise]) {
      const cost = learnt(msOf, () => 16, 120);
      expect(error(cost, msOf, 16, 1_920)).toBeLessThan(0.1);
    }
  });

  it('learns other proportions from chunks of several lengths', () => {
    const cost = learnt(otherwise, (run) => [64, 16, 32][run % 3], 60);
    for (const tokens of [8, 64]) expect(error(cost, otherwise, tokens, 2_240)).toBeLessThan(0.15);
  });

  it('is moved little by one long run, and follows a machine that becomes slower', () => {
    const cost = learnt(measured, () => 16, 60);
    cost.learn(16, 960, 10 * measured(16, 960));
    expect(error(cost, measured, 16, 976)).toBeLessThan(0.1);
    for (let run = 0; run < 40; run++) cost.learn(16, 976, 3 * measured(16, 976));
    expect(cost.msOf(16, 976) / measured(16, 976)).toBeGreaterThan(2.5);
  });

  it('tells how many tokens fit, and none where the past alone takes as long', () => {
    const cost = learnt(measured, (run) => [64, 16, 32][run % 3], 60);
    const tokens = cost.tokensWithin(30, 1_000);
    expect(cost.msOf(tokens, 1_000)).toBeCloseTo(30, 6);
    expect(cost.tokensWithin(5, 4_000)).toBe(0);
  });
});

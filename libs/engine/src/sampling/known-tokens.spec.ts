import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GREEDY, type RowCandidates, type SamplingParameters } from '#contracts';
import { HiddenLogits, type HiddenLogitsOptions } from '../testing/hidden-logits.ts';
import { candidateLogprob } from './candidate-logprob.ts';
import { KnownTokens } from './known-tokens.ts';
import { listedTokens } from './listed-tokens.ts';
import { UNDECIDED } from './probability-buckets.ts';
import { Sampler } from './sampler.ts';
import { TokenPenalties, usesPenalties } from './token-penalties.ts';

interface Choice {
  readonly row: Float32Array;
  readonly sampling: SamplingParameters;
  readonly allowed?: Int32Array | null;
  readonly promptTokenIds?: readonly number[];
  readonly generatedTokenIds?: readonly number[];
  readonly position?: number;
}

/** What the whole row gives, and what a part of it on a device does. */
function choose(choice: Choice, options: HiddenLogitsOptions) {
  const { row, sampling, allowed = null, promptTokenIds = [], generatedTokenIds = [], position = 0 } = choice;
  const penalties = usesPenalties(sampling) ? new TokenPenalties(sampling, Int32Array.from(promptTokenIds)) : null;
  for (const token of generatedTokenIds) penalties?.addGenerated(token);
  const sampler = new Sampler(row.length);
  const whole = sampler.sample(row, sampling, penalties, 0, position, allowed);
  const hidden = new HiddenLogits(new Float32Array(row.length), row.length, options);
  hidden.rows.set(row);
  const listed = listedTokens(sampling, penalties, hidden.mostListed);
  if (listed === null) return { whole, part: UNDECIDED, selected: null };
  const inverseTemperature = sampling.temperature === 0 ? 0 : 1 / sampling.temperature;
  const [candidates] = hidden.select([{ allowed, listed: listed.tokenIds, inverseTemperature }]) as [RowCandidates];
  const known = new KnownTokens(row.length);
  known.load({ candidates, listed }, allowed);
  const part = sampler.sampleKnown(known, sampling, penalties, 0, position);
  return { whole, part, selected: { candidates, known } };
}

/** Logits like a language model's: few far above the rest, a long tail, in float32 or as float16 gives them. */
function logitsOf(vocabularySize: number, seed: number, spread: number, isHalf: boolean): Float32Array {
  let state = seed >>> 0 || 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 0x1_0000_0000;
  };
  const row = Float32Array.from({ length: vocabularySize }, () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return normal * spread + 6 * Math.max(0, -Math.log(uniform()) - 5);
  });
  return isHalf ? Float32Array.from(Float16Array.from(row)) : row;
}

const VOCABULARY = 400;
const token = fc.nat(VOCABULARY - 1);

const scenario = fc.record({
  seed: fc.integer(),
  spread: fc.constantFrom(0, 0.3, 2, 5),
  isHalf: fc.boolean(),
  special: fc.array(fc.tuple(token, fc.constantFrom(Number.NEGATIVE_INFINITY, 0, -0, 12, 12, 30, -40)), {
    maxLength: 6,
  }),
  allowed: fc.option(fc.array(fc.oneof(fc.constantFrom(0, -1), fc.integer()), { minLength: 13, maxLength: 13 })),
  promptTokenIds: fc.array(token, { maxLength: 30 }),
  generatedTokenIds: fc.array(token, { maxLength: 10 }),
  mostListed: fc.constantFrom(0, 8, VOCABULARY),
  count: fc.constantFrom(1, 7, 40, 200, VOCABULARY),
  error: fc.constantFrom(-1, 0, 1),
  sampling: fc.record({
    temperature: fc.constantFrom(0, 0.05, 0.3, 0.7, 1, 2),
    topK: fc.constantFrom(0, 0, 1, 5, 60),
    topP: fc.constantFrom(1, 1, 0.9, 0.3),
    minP: fc.constantFrom(0, 0, 0.05, 0.5, 1),
    presencePenalty: fc.constantFrom(0, 0, 1.5, -1),
    frequencyPenalty: fc.constantFrom(0, 0, 0.7, -0.4),
    repetitionPenalty: fc.constantFrom(1, 1, 1.3, 0.6),
    logitBias: fc.array(fc.tuple(token, fc.constantFrom(-100, -2, 0.5, 5, 100)), { maxLength: 5 }),
    seed: fc.integer(),
  }),
});

describe('sampleKnown', () => {
  it('picks the token of the whole row or none, whatever is hidden', () => {
    let decided = 0;
    let all = 0;
    const property = fc.property(scenario, (drawn) => {
      const { seed, spread, isHalf, special, allowed, count, mostListed, error, ...choice } = drawn;
      const row = logitsOf(VOCABULARY, seed, spread, isHalf);
      for (const [place, logit] of special) row[place] = logit;
      const mask = allowed === null ? null : Int32Array.from(allowed);
      for (let position = 0; position < 8; position++) {
        const { whole, part } = choose({ ...choice, row, allowed: mask, position }, { count, mostListed, error });
        all += 1;
        if (part === UNDECIDED) continue;
        decided += 1;
        expect(part).toBe(whole);
      }
    });
    fc.assert(property, { numRuns: 1_500 });
    expect(decided).toBeGreaterThan(all / 3);
    expect(decided).toBeLessThan(all);
  });

  it('seldom needs the whole row where logits are like a language model’s', () => {
    const kinds: [Partial<SamplingParameters>, number][] = [
      [{}, 0],
      [{ repetitionPenalty: 1.2 }, 0.02],
      [{ temperature: 0.7 }, 0.01],
      [{ temperature: 1, topK: 50 }, 0],
      [{ temperature: 1, minP: 0.05 }, 0],
      [{ temperature: 0.8, topP: 0.95 }, 0.02],
      [{ temperature: 0.7, presencePenalty: 1, frequencyPenalty: 0.5 }, 0.02],
    ];
    const likelyTokens = (row: Float32Array) => [...row.keys()].sort((a, b) => row[b]! - row[a]!);
    const rows = Array.from({ length: 20 }, (_, seed) => {
      const row = logitsOf(8_000, seed + 1, 2, seed % 2 === 1);
      return { row, likely: likelyTokens(row) };
    });
    for (const [changes, most] of kinds) {
      let undecided = 0;
      for (const [seed, { row, likely }] of rows.entries()) {
        for (let position = 0; position < 10; position++) {
          const sampling = { ...GREEDY, seed, ...changes };
          const generatedTokenIds = [likely[0]!, likely[40]!, likely[5_000]!];
          const { whole, part } = choose({ row, sampling, generatedTokenIds, position }, { count: 512 });
          if (part === UNDECIDED) undecided += 1;
          else expect(part).toBe(whole);
        }
      }
      expect(undecided / 200, JSON.stringify(changes)).toBeLessThanOrEqual(most);
    }
  });

  it('asks for the whole row where a hidden token may be equal to the likeliest, or the draw may fall on one', () => {
    const row = new Float32Array(64).fill(3);
    expect(choose({ row, sampling: GREEDY }, { count: 8 }).part).toBe(UNDECIDED);
    expect(choose({ row, sampling: GREEDY }, { count: 64 }).part).toBe(0);
    const drawn = Array.from(
      { length: 40 },
      (_, position) => choose({ row, sampling: { ...GREEDY, temperature: 1 }, position }, { count: 8 }).part,
    );
    expect(new Set(drawn)).toEqual(new Set([UNDECIDED]));
  });

  it.each([
    ['a listed token stands for a likelier one that is hidden', { topK: 6 }, [40, 41, 42], VOCABULARY],
    ['hidden tokens weigh less than the model gave them', {}, Array.from({ length: 64 }, (_, i) => (i % 32) + 32), 0],
  ] as const)('picks the token of the whole row or none where %s', (_, changes, generated, mostListed) => {
    const row = Float32Array.from({ length: 64 }, (__, token) => 3 - 0.02 * token);
    const sampling = { ...GREEDY, temperature: 1, presencePenalty: 2, frequencyPenalty: 2, ...changes };
    for (let position = 0; position < 300; position++) {
      const choice = { row, sampling, generatedTokenIds: [...generated], position };
      const { whole, part } = choose(choice, { count: mostListed === 0 ? 32 : 4, mostListed });
      if (part !== UNDECIDED) expect(part).toBe(whole);
    }
  });

  it('finds no token among logits that are all −Infinity', () => {
    const row = new Float32Array(64).fill(Number.NEGATIVE_INFINITY);
    const { whole, part } = choose({ row, sampling: { ...GREEDY, temperature: 1 } }, { count: 8 });
    expect(part).toBe(whole);
  });
});

describe('candidateLogprob', () => {
  const row = Float32Array.from({ length: 200 }, (_, i) => ((i * 37) % 41) / 4);

  it('gives what the whole row gives, lower id first among equals', () => {
    const mask = new Int32Array(7).fill(0x5555_5555);
    for (const allowed of [null, mask])
      for (const topCount of [0, 1, 5, 20]) {
        const { part, selected } = choose({ row, sampling: GREEDY, allowed }, { count: 60, topCount: 32 });
        const { candidates, known } = selected!;
        const logprob = candidateLogprob(candidates, part, known.rawLogit(part), topCount);
        const expected = new Sampler(row.length).logprob(row, part, topCount);
        expect(logprob?.top.map(({ tokenId }) => tokenId)).toEqual(expected.top.map(({ tokenId }) => tokenId));
        expect(logprob?.logprob).toBeCloseTo(expected.logprob, 4);
        expected.top.forEach(({ logprob: value }, i) => {
          expect(logprob?.top[i]?.logprob).toBeCloseTo(value, 4);
        });
      }
  });

  it('asks for the whole row where the last of the likeliest may have equals that are hidden', () => {
    const { part, selected } = choose({ row, sampling: GREEDY }, { count: 12 });
    const { candidates, known } = selected!;
    expect(candidateLogprob(candidates, part, known.rawLogit(part), 12)).toBeNull();
    expect(candidateLogprob(candidates, part, known.rawLogit(part), 13)).toBeNull();
    expect(candidateLogprob(candidates, part, known.rawLogit(part), 3)).not.toBeNull();
  });
});

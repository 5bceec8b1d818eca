import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GREEDY, type SamplingParameters } from '#contracts';
import { expOfNegative } from './exp-table.ts';
import { NO_TOKEN } from './plain-kernels.ts';
import { Sampler } from './sampler.ts';
import { TokenPenalties, usesPenalties } from './token-penalties.ts';

/** The documented order on plain arrays with Math.exp and a full sort: probability of each token, 0 where filtered. */
function exactProbabilities(logits: readonly number[], sampling: SamplingParameters): number[] {
  const order = logits.map((_, token) => token).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const maxLogit = logits[order[0]!]!;
  const weights = logits.map((logit) => Math.exp((logit - maxLogit) / sampling.temperature));
  let kept = sampling.topK > 0 ? order.slice(0, sampling.topK) : order;
  if (sampling.topP < 1) {
    const total = kept.reduce((sum, token) => sum + weights[token]!, 0);
    let mass = 0;
    const end = kept.findIndex((token) => {
      mass += weights[token]!;
      return mass >= sampling.topP * total;
    });
    if (end >= 0) kept = kept.slice(0, end + 1);
  }
  if (sampling.minP > 0) kept = kept.filter((token) => weights[token]! >= sampling.minP);
  const total = kept.reduce((sum, token) => sum + weights[token]!, 0);
  const probabilities = logits.map(() => 0);
  for (const token of kept) probabilities[token] = weights[token]! / total;
  return probabilities;
}

const draw = (sampler: Sampler, logits: Float32Array, changes: Partial<SamplingParameters>, position = 0): number =>
  sampler.sample(logits, { ...GREEDY, ...changes }, null, 0, position);

describe('Sampler', () => {
  const logits = Float32Array.from([1.5, 0.2, 3.1, -2, 2.9, 0.2, 1.1, -7, 2.2, 0]);
  const cases: [string, Partial<SamplingParameters>][] = [
    ['temperature alone', {}],
    ['a high temperature', { temperature: 1.8 }],
    ['a low temperature', { temperature: 0.4 }],
    ['top-k', { topK: 4 }],
    ['a top-k that cuts between equals', { topK: 7 }],
    ['top-p', { topP: 0.8 }],
    ['min-p', { minP: 0.2 }],
    ['all three', { topK: 6, topP: 0.9, minP: 0.1, temperature: 1.2 }],
  ];

  it.each(cases)('draws tokens with their exact probabilities: %s', (_, changes) => {
    const sampling = { ...GREEDY, temperature: 1, seed: 11, ...changes };
    const expected = exactProbabilities([...logits], sampling);
    const sampler = new Sampler(logits.length);
    const draws = 20_000;
    const counts = expected.map(() => 0);
    for (let position = 0; position < draws; position++) counts[draw(sampler, logits, sampling, position)]! += 1;
    let chiSquare = 0;
    expected.forEach((probability, token) => {
      if (probability === 0) expect(counts[token]).toBe(0);
      else chiSquare += (counts[token]! - probability * draws) ** 2 / (probability * draws);
    });
    expect(chiSquare).toBeLessThan(29.6); // 99.95 % quantile with 9 degrees of freedom
  });

  it('draws only tokens that the filters allow', () => {
    const scenario = fc.record({
      logits: fc.array(fc.oneof(fc.double({ min: -40, max: 40, noNaN: true }), fc.constantFrom(1, 2, -Infinity)), {
        minLength: 1,
        maxLength: 60,
      }),
      temperature: fc.double({ min: 0.05, max: 2, noNaN: true }),
      topK: fc.nat(20),
      topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
      minP: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(scenario, ({ logits: values, ...changes }) => {
        const row = Float32Array.from(values);
        const token = draw(new Sampler(row.length), row, changes);
        if (values.every((value) => value === -Infinity)) {
          expect(token).toBe(NO_TOKEN);
          return;
        }
        // One token more at each edge: sums in another order may differ in the last bits exactly there.
        const looser = {
          ...GREEDY,
          ...changes,
          topP: Math.min(1, changes.topP + 1e-9),
          minP: changes.minP * (1 - 1e-9),
        };
        expect(exactProbabilities([...row], looser)[token]).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it('draws tokens far below the likeliest as often as they should be, thousands together', () => {
    const row = new Float32Array(60_000).fill(-16.2);
    row[40_000] = 0;
    const sampler = new Sampler(row.length);
    const far = 59_999 * Math.exp(-16.2);
    let drawn = 0;
    for (let position = 0; position < 8_000; position++) {
      if (draw(sampler, row, { temperature: 1, seed: 9 }, position) !== 40_000) drawn += 1;
    }
    const expected = (8_000 * far) / (1 + far);
    expect(Math.abs(drawn - expected)).toBeLessThan(4 * Math.sqrt(expected));
  });

  it('reuses its arrays without a trace of earlier rows', () => {
    const sampler = new Sampler(logits.length);
    const other = logits.map((logit) => -logit);
    const first = draw(sampler, logits, { temperature: 1, topP: 0.7, seed: 3 });
    draw(sampler, other, { temperature: 0.1, topK: 2, logitBias: [[1, 50]] });
    expect(draw(sampler, logits, { temperature: 1, topP: 0.7, seed: 3 })).toBe(first);
    expect(logits[2]).toBeCloseTo(3.1, 5);
  });

  it('takes the likeliest token at temperature 0, the first of equals, wherever it stands', () => {
    for (let length = 1; length < 40; length++) {
      for (let place = 0; place < length; place++) {
        const row = new Float32Array(length).fill(-3);
        row[place] = 5;
        row[length - 1] = 5;
        expect(draw(new Sampler(length), row, {})).toBe(place);
      }
    }
  });

  it('finds no token among logits that are NaN, +Infinity or all −Infinity, anywhere', () => {
    for (const temperature of [0, 1]) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        for (let place = 0; place < 21; place++) {
          const row = Float32Array.from({ length: 21 }, (_, token) => Math.sin(token));
          row[place] = bad;
          expect(draw(new Sampler(21), row, { temperature })).toBe(NO_TOKEN);
        }
      }
      expect(draw(new Sampler(21), new Float32Array(21).fill(-Infinity), { temperature })).toBe(NO_TOKEN);
    }
  });

  it('applies logit bias, then repetition penalty, then presence and frequency penalty', () => {
    const sampling = {
      ...GREEDY,
      repetitionPenalty: 2,
      presencePenalty: 0.5,
      frequencyPenalty: 0.25,
      logitBias: [[0, 3] as [number, number]],
    };
    expect(usesPenalties(sampling)).toBe(true);
    const penalties = new TokenPenalties(sampling, Int32Array.of(1, 3));
    for (const token of [0, 0, 2]) penalties.addGenerated(token);
    const row = Float32Array.of(1 + 3, 4, -1, -2, 7);
    penalties.apply(row);
    // Generated twice; only in the prompt; generated once and negative; prompt and negative; unseen.
    expect([...row]).toEqual([4 / 2 - 0.5 - 0.5, 2, -2 - 0.75, -4, 7]);
    const biased = Float32Array.of(1, 4, -1, -2, 1.5);
    expect(new Sampler(5).sample(biased, sampling, penalties, 0, 3)).toBe(1);
  });
});

describe('expOfNegative', () => {
  it('is within 3e-9 of Math.exp', () => {
    for (let x = 0; x > -32; x -= 0.00137) expect(Math.abs(expOfNegative(x) / Math.exp(x) - 1)).toBeLessThan(3e-9);
  });
});

describe('Sampler.logprob', () => {
  it('gives the log-softmax of the token and of the likeliest tokens, lower id first among equals', () => {
    const row = Float32Array.of(0.5, 2, -1, 2, 0);
    const normalizer = Math.log([...row].reduce((sum, logit) => sum + Math.exp(logit), 0));
    const { tokenId, logprob, top } = new Sampler(5).logprob(row, 0, 3);
    expect(tokenId).toBe(0);
    expect(logprob).toBeCloseTo(0.5 - normalizer, 7);
    expect(top.map((alternative) => alternative.tokenId)).toEqual([1, 3, 0]);
    expect(top[0]?.logprob).toBeCloseTo(2 - normalizer, 7);
    expect(new Sampler(5).logprob(row, 2, 0).top).toEqual([]);
  });

  it('finds the likeliest tokens among those that have no weight, too', () => {
    const row = Float32Array.of(-90, 40, -Infinity, -80, -80);
    const { logprob, top } = new Sampler(5).logprob(row, 1, 4);
    expect(logprob).toBeCloseTo(0, 7);
    expect(top).toEqual([
      { tokenId: 1, logprob },
      { tokenId: 3, logprob: -120 },
      { tokenId: 4, logprob: -120 },
      { tokenId: 0, logprob: -130 },
    ]);
  });
});

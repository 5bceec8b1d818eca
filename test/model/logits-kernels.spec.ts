import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { LogitsKernels, NearTokens, SamplingParameters } from '#contracts';
import { GREEDY } from '#contracts';
import { BUCKETS, EXP_OF_BUCKET } from '../../libs/engine/src/sampling/exp-table.ts';
import { PLAIN_KERNELS } from '../../libs/engine/src/sampling/plain-kernels.ts';
import { Sampler } from '../../libs/engine/src/sampling/sampler.ts';
import { TokenPenalties, usesPenalties } from '../../libs/engine/src/sampling/token-penalties.ts';
import { nativeLogitsKernels } from '../../libs/model-runner/src/products/native-logits-kernels.ts';
import { productLibrary } from '../../libs/model-runner/src/products/product-library.ts';

const library = productLibrary();
/** Those that the processor can run; the best comes last, and stays. */
const KERNELS =
  typeof library === 'string' ? [] : library.kernels.filter((name) => library.useKernel(name) === 1).toReversed();

/** Rows as models have them, flat ones, ones of many equals, and with values that are not usable. */
const rows = fc
  .record({
    length: fc.integer({ min: 1, max: 5_000 }),
    spread: fc.constantFrom(0, 0.5, 3, 12),
    peak: fc.constantFrom(0, 8, 30),
    steps: fc.constantFrom(0, 4),
    forbidden: fc.constantFrom(0, 0, 0.3, 1),
    broken: fc.constantFrom(null, null, null, null, Number.NaN, Number.POSITIVE_INFINITY),
    seed: fc.nat(),
  })
  .map(({ length, spread, peak, steps, forbidden, broken, seed }) => {
    let state = seed + 1;
    const uniform = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const row = Float32Array.from({ length }, () => {
      const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
      const logit = normal * spread + (uniform() < 3 / length ? peak : 0);
      if (uniform() < forbidden) return Number.NEGATIVE_INFINITY;
      return steps === 0 ? logit : Math.round(logit * steps) / steps;
    });
    if (broken !== null) row[Math.floor(uniform() * length)] = broken;
    const allowed = Int32Array.from({ length: Math.ceil(length / 32) }, () =>
      uniform() < 0.3 ? 0 : uniform() < 0.3 ? -1 : Math.floor(uniform() * 2 ** 32),
    );
    return { row, allowed };
  });

function weighed(kernels: LogitsKernels, row: Float32Array, temperature: number, rangeNats: number) {
  const near: NearTokens = {
    tokens: new Int32Array(row.length),
    buckets: new Uint16Array(row.length),
    mass: new Float64Array(BUCKETS),
    counts: new Int32Array(BUCKETS),
    exps: EXP_OF_BUCKET,
  };
  const largest = row[PLAIN_KERNELS.argmax(row)] ?? 0;
  const count = kernels.weigh(row, { largest, temperature, rangeNats }, near);
  const members = [...near.counts.entries()].flatMap(([bucket, size]) => {
    if (size === 0) return [];
    const tokens = new Int32Array(size);
    kernels.tokensOf(bucket, near, count, tokens);
    const sorted = tokens.slice();
    kernels.sort(sorted, size, row);
    return [tokens, sorted];
  });
  return { ...near, tokens: near.tokens.slice(0, count), buckets: near.buckets.slice(0, count), members };
}

const samplings = fc.record({
  temperature: fc.constantFrom(0, 0.3, 0.7, 1, 1.3),
  topK: fc.constantFrom(0, 0, 1, 20, 500),
  topP: fc.constantFrom(1, 1, 0.95, 0.5),
  minP: fc.constantFrom(0, 0, 0.05),
  repetitionPenalty: fc.constantFrom(1, 1.2),
  seed: fc.integer(),
});

describe.each(KERNELS)('loops over rows of logits, by %s', (name) => {
  let kernels: LogitsKernels;
  beforeAll(() => {
    if (typeof library !== 'string') library.useKernel(name);
    const native = nativeLogitsKernels();
    if (native === null) throw new Error('the library has gone');
    kernels = native;
  });

  it('give what JavaScript gives, bit by bit', () => {
    const nearness = fc.record({
      temperature: fc.double({ min: 0.01, max: 3, noNaN: true }),
      range: fc.constantFrom(16, 32),
    });
    fc.assert(
      fc.property(rows, nearness, ({ row, allowed }, { temperature, range }) => {
        expect(kernels.argmax(row)).toBe(PLAIN_KERNELS.argmax(row));
        const [mine, plain] = [new Float32Array(row.length), new Float32Array(row.length)];
        kernels.mask(mine, row, allowed);
        PLAIN_KERNELS.mask(plain, row, allowed);
        expect(mine).toEqual(plain);
        if (PLAIN_KERNELS.argmax(row) < 0) return;
        expect(weighed(kernels, row, temperature, range)).toEqual(weighed(PLAIN_KERNELS, row, temperature, range));
      }),
      { numRuns: 150 },
    );
  });

  it('draw the tokens that JavaScript draws, and find them as likely', () => {
    fc.assert(
      fc.property(rows, samplings, fc.boolean(), ({ row, allowed }, changes, isMasked) => {
        const sampling: SamplingParameters = { ...GREEDY, ...changes };
        const penalties = usesPenalties(sampling) ? new TokenPenalties(sampling, Int32Array.of(0)) : null;
        const [mine, plain] = [new Sampler(row.length, kernels), new Sampler(row.length)].map((sampler) => {
          const token = sampler.sample(row, sampling, penalties, 0, 3, isMasked ? allowed : null);
          return { token, logprob: PLAIN_KERNELS.argmax(row) < 0 ? null : sampler.logprob(row, Math.max(0, token), 5) };
        });
        expect(mine).toEqual(plain);
      }),
      { numRuns: 300 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowsNothing } from '../constraints/allowed-tokens.ts';
import { PLAIN_KERNELS } from './plain-kernels.ts';

describe('mask', () => {
  it('keeps the logits of allowed tokens and no others', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer()), { minLength: 1, maxLength: 200 }), (tokens) => {
        const allowed = new Int32Array(Math.ceil(tokens.length / 32));
        for (const [token, [isAllowed]] of tokens.entries()) if (isAllowed) allowed[token >>> 5] |= 1 << (token & 31);
        const logits = Float32Array.from(tokens, ([, logit]) => logit);
        const masked = new Float32Array(tokens.length);
        PLAIN_KERNELS.mask(masked, logits, allowed);
        const expected = tokens.map(([isAllowed, logit]) =>
          isAllowed ? Math.fround(logit) : Number.NEGATIVE_INFINITY,
        );
        expect([...masked]).toEqual(expected);
        expect(allowsNothing(allowed)).toBe(tokens.every(([isAllowed]) => !isAllowed));
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { chargeOf, DEFAULT_PRICE, holdOf, PriceList, priceOf } from './price-list.ts';

describe('prices', () => {
  it('charges one credit per thousand tokens where nothing else is set', () => {
    const list = PriceList.parse({});
    const tokens = { promptTokens: 400, cachedTokens: 100, completionTokens: 600 };
    expect(chargeOf(priceOf(list, 'any'), tokens)).toBe(1_000_000);
  });

  it('prices prompt, cached and completion tokens apart and rounds up', () => {
    const price = { prompt: 0.5, cachedPrompt: 0.05, completion: 1.5 };
    expect(chargeOf(price, { promptTokens: 10, cachedTokens: 4, completionTokens: 3 })).toBe(7_700);
    expect(chargeOf({ ...price, prompt: 0.0001 }, { promptTokens: 1, cachedTokens: 0, completionTokens: 0 })).toBe(1);
  });

  it('holds at least what any outcome can cost', () => {
    const price = { prompt: 1, cachedPrompt: 2, completion: 3 };
    const hold = holdOf(price, 10, 20);
    expect(chargeOf(price, { promptTokens: 10, cachedTokens: 10, completionTokens: 20 })).toBeLessThanOrEqual(hold);
  });

  it('does not take a price from the prototype', () => {
    expect(priceOf(PriceList.parse({}), 'constructor')).toEqual(DEFAULT_PRICE);
  });
});

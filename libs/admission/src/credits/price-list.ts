import { z } from 'zod';
import { microcreditsOf } from './credits.ts';

const price = z.number().min(0).max(1_000_000);

/** Credits per 1,000 tokens of each kind. */
export const ModelPrice = z.strictObject({ prompt: price, cachedPrompt: price, completion: price });
export type ModelPrice = z.infer<typeof ModelPrice>;

/** One credit buys 1,000 tokens where no price is set. */
export const DEFAULT_PRICE: ModelPrice = { prompt: 1, cachedPrompt: 1, completion: 1 };

export const PriceList = z.strictObject({
  /** For models without a price of their own. */
  default: ModelPrice.default(DEFAULT_PRICE),
  models: z.record(z.string().min(1), ModelPrice).default({}),
});
export type PriceList = z.infer<typeof PriceList>;

export interface TokenCounts {
  readonly promptTokens: number;
  /** Of the prompt tokens, those that came from a cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

export function priceOf(list: PriceList, model: string): ModelPrice {
  return Object.hasOwn(list.models, model) ? (list.models[model] ?? list.default) : list.default;
}

/** Integer microcredits, rounded up. */
export function chargeOf(modelPrice: ModelPrice, tokens: TokenCounts): number {
  const cached = Math.min(tokens.cachedTokens, tokens.promptTokens);
  const perThousand =
    (tokens.promptTokens - cached) * microcreditsOf(modelPrice.prompt) +
    cached * microcreditsOf(modelPrice.cachedPrompt) +
    tokens.completionTokens * microcreditsOf(modelPrice.completion);
  return Math.ceil(perThousand / 1_000);
}

/** The most that a request can cost: a cache may turn out cheaper or dearer than the prompt. */
export function holdOf(modelPrice: ModelPrice, promptTokens: number, completionTokensLimit: number): number {
  const prompt = Math.max(modelPrice.prompt, modelPrice.cachedPrompt);
  const dearest = { ...modelPrice, prompt, cachedPrompt: prompt };
  return chargeOf(dearest, { promptTokens, cachedTokens: 0, completionTokens: completionTokensLimit });
}

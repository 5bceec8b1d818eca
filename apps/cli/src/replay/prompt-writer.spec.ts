import { describe, expect, it } from 'vitest';
import { PromptWriter, promptRate } from './prompt-writer.ts';

const TEMPLATE_TOKENS = 30;
const TOKENS_PER_WORD = 2;
/** As a tokenizer with two tokens a word. */
const tokensOf = (content: string) => TEMPLATE_TOKENS + TOKENS_PER_WORD * content.split(' ').length;
const rate = await promptRate(async (content) => tokensOf(content));
const writer = (seed = 1, scale = 1) => new PromptWriter({ rate, seed, scale });
const sharedTokens = (one: string, other: string) => {
  const [words, others] = [one.split(' '), other.split(' ')];
  const at = words.findIndex((word, index) => word !== others[index]);
  return TOKENS_PER_WORD * (at < 0 ? words.length : at);
};

describe('PromptWriter', () => {
  it('learns what a word and the template have, and writes prompts of the length that is wanted', () => {
    expect(rate).toEqual({ tokensPerWord: TOKENS_PER_WORD, templateTokens: TEMPLATE_TOKENS });
    for (const promptTokens of [60, 1_000, 2_200]) {
      for (const blocks of [[], [7, 8]]) {
        expect(tokensOf(writer().write({ promptTokens, blocks }, 0))).toBe(promptTokens);
      }
    }
  });

  it('writes the same text for blocks of the same name, and other text behind them', () => {
    const one = writer().write({ promptTokens: 2_000, blocks: [7, 8, 9] }, 0);
    const other = writer().write({ promptTokens: 3_000, blocks: [7, 8, 10] }, 1);
    expect(sharedTokens(one, other)).toBeGreaterThanOrEqual(1_024);
    expect(sharedTokens(one, other)).toBeLessThan(1_024 + 20);
    const scaled = [0, 1].map((index) => writer(1, 0.25).write({ promptTokens: 500, blocks: [7, 8] }, index));
    expect(sharedTokens(scaled[0]!, scaled[1]!)).toBeGreaterThanOrEqual(256);
    expect(sharedTokens(scaled[0]!, scaled[1]!)).toBeLessThan(256 + 20);
  });

  it('shares nothing where the trace says nothing, and repeats itself for the same seed only', () => {
    const texts = [0, 1].map((index) => writer().write({ promptTokens: 400, blocks: [] }, index));
    expect(sharedTokens(texts[0]!, texts[1]!)).toBeLessThan(20);
    expect(writer().write({ promptTokens: 400, blocks: [] }, 1)).toBe(texts[1]);
    expect(writer(2).write({ promptTokens: 400, blocks: [] }, 1)).not.toBe(texts[1]);
    const blocks = { promptTokens: 400, blocks: [7] };
    expect(sharedTokens(writer(2).write(blocks, 0), writer().write(blocks, 0))).toBeLessThan(20);
  });
});

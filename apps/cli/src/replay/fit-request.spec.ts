import { describe, expect, it } from 'vitest';
import { fitRequest } from './fit-request.ts';

const LIMITS = {
  scale: 1,
  fewestPromptTokens: 1,
  mostPromptTokens: Number.POSITIVE_INFINITY,
  mostAnswerTokens: Number.POSITIVE_INFINITY,
  contextLength: 1_000,
};
const fitted = (promptTokens: number, answerTokens: number, limits: Partial<typeof LIMITS> = {}) => {
  const request = fitRequest({ atMs: 5, promptTokens, answerTokens, blocks: [1] }, { ...LIMITS, ...limits });
  return [request.promptTokens, request.answerTokens, request.promptCut, request.answerCut];
};

describe('fitRequest', () => {
  it('leaves alone what fits', () => {
    expect(fitted(600, 300)).toEqual([600, 300, false, false]);
  });

  it('multiplies lengths, and cuts what is above the limits', () => {
    expect(fitted(6_000, 3, { scale: 0.1 })).toEqual([600, 1, false, false]);
    expect(fitted(600, 300, { mostPromptTokens: 400, mostAnswerTokens: 10 })).toEqual([400, 10, true, true]);
  });

  it('cuts prompts to what answers leave of the context, and answers to what prompts leave', () => {
    const [prompt, answer] = fitted(950, 100);
    expect([answer, Number(prompt) > 860, Number(prompt) <= 900]).toEqual([100, true, true]);
    expect(fitted(5_000, 5_000)).toEqual([482, 500, true, true]);
    expect(fitted(90, 5_000)).toEqual([90, 900, false, true]);
  });

  it('makes prompts no shorter than the template does', () => {
    expect(fitted(5, 5_000, { fewestPromptTokens: 90 })).toEqual([90, 900, false, true]);
  });

  it('has a token of each in the smallest context', () => {
    expect(fitted(5, 5, { contextLength: 2 })).toEqual([1, 1, true, true]);
  });
});

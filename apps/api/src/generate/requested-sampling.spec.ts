import { describe, expect, it } from 'vitest';
import { type RequestedSampling, samplingOf } from './requested-sampling.ts';

const nothing: RequestedSampling = {
  ...{ temperature: null, topP: null, topK: null, minP: null, repetitionPenalty: null },
  ...{ presencePenalty: 0, frequencyPenalty: 0, logitBias: [], seed: null },
};
const recommended = { temperature: 0.6, topP: 0.95, topK: 20, minP: 0.01, repetitionPenalty: 1.05 };

describe('samplingOf', () => {
  it("takes what the request says, then what the model's makers recommend, then the whole distribution", () => {
    expect(samplingOf(nothing, undefined, () => 9)).toEqual({
      ...{ temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 },
      ...{ presencePenalty: 0, frequencyPenalty: 0, logitBias: [], seed: 9 },
    });
    expect(samplingOf(nothing, recommended, () => 9)).toMatchObject(recommended);
    expect(samplingOf({ ...nothing, seed: 3 }, { topK: 20 }, () => 9)).toMatchObject({
      temperature: 1,
      topK: 20,
      seed: 3,
    });
  });

  it('takes a request at its word where it asks for what changes nothing', () => {
    const plain = { temperature: 0, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 };
    expect(samplingOf({ ...nothing, ...plain }, recommended, () => 9)).toMatchObject(plain);
  });
});

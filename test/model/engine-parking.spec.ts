import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { DeliveredAnswer } from '../../libs/engine/src/testing/delivered-answer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { fixtureModel } from './fixture-models.ts';

const SLOTS = 4;
const PREFILL_CHUNK_TOKENS = 16;

const REQUESTS: Record<string, Partial<EngineRequest>> = {
  'greedy text with stop strings': { stop: { tokenIds: [], strings: ['<7><', '9>'], maxTokens: 60 } },
  'seeded sampling with penalties': {
    sampling: { ...GREEDY, temperature: 0.9, topP: 0.95, seed: 11, frequencyPenalty: 0.4, repetitionPenalty: 1.1 },
  },
  'three choices with log probabilities': {
    choices: 3,
    topLogprobs: 4,
    sampling: { ...GREEDY, temperature: 1, seed: 5 },
  },
};

describe.each(['tiny-llama', 'tiny-qwen2', 'tiny-qwen3', 'tiny-mha'])('sequences of %s that are parked', (name) => {
  const model = fixtureModel(name);
  const tokenTable = numberedTokenTable(model.vocabularySize);
  let runner: ModelRunner;

  beforeAll(async () => {
    const size = { slots: SLOTS, parkingSlots: SLOTS + 1, slotTokens: 400, threads: 1 };
    runner = await openModelRunner({
      modelFile: model.modelFile,
      ...size,
      binding: 'auto',
      maxChunkTokens: PREFILL_CHUNK_TOKENS,
    });
  });
  afterAll(async () => {
    await runner?.close();
  });

  const request = (requestId: string, prompt: number, changes: Partial<EngineRequest>): EngineRequest => ({
    requestId,
    epoch: 1,
    promptTokenIds: Int32Array.from(model.prompts[prompt]!.promptIds),
    choices: 1,
    sampling: { ...GREEDY },
    stop: { tokenIds: [], strings: [], maxTokens: 60 },
    topLogprobs: null,
    ...changes,
  });
  const open = () => new Engine({ runner, tokenTable, prefillChunkTokens: PREFILL_CHUNK_TOKENS });

  it.each(Object.entries(REQUESTS))('lose nothing: %s', async (_title, changes) => {
    const floods = [0, 5, 9].map((prompt) => request(`flood-${prompt}`, prompt, { ...changes, tenantId: 'flood' }));
    const alone: DeliveredAnswer[] = [];
    for (const asked of floods) {
      const engine = open();
      alone.push(new DeliveredAnswer(asked.requestId, asked.choices));
      alone.at(-1)!.follow(engine);
      engine.submit(asked);
      await engine.runUntilIdle();
    }
    const engine = open();
    const together = floods.map((asked) => new DeliveredAnswer(asked.requestId, asked.choices));
    for (const answer of together) answer.follow(engine);
    for (const asked of floods) engine.submit(asked);
    // Others come and go all the time, from tenants with less than their share.
    for (let light = 0; light < 40; light += 1) {
      for (let step = 0; step < 1 + (light % 5); step += 1) await engine.step();
      engine.submit(
        request(`light-${light}`, light % 12, {
          tenantId: `light-${light % 3}`,
          stop: { tokenIds: [], strings: [], maxTokens: 1 + (light % 4) },
        }),
      );
    }
    await engine.runUntilIdle();
    // Greedy floods end early, at their stop strings.
    expect(engine.stats().parksTotal).toBeGreaterThan(changes.stop === undefined ? 5 : 0);
    expect(engine.stats()).toMatchObject({ parked: 0, running: 0, waiting: 0 });
    for (const [index, answer] of together.entries()) {
      expect(answer.failure).toBeNull();
      expect(answer.choices).toEqual(alone[index]!.choices);
    }
  });

  it('are resumed elsewhere as others are', async () => {
    const asked = request('moved', 3, { tenantId: 'flood', sampling: { ...GREEDY, temperature: 1, seed: 3 } });
    const whole = new DeliveredAnswer('moved', 1);
    const first = open();
    whole.follow(first);
    first.submit(asked);
    await first.runUntilIdle();

    const cut = new DeliveredAnswer('moved', 1);
    const second = open();
    const unfollow = cut.follow(second);
    second.submit(request('elder', 1, { tenantId: 'flood', choices: 3 }));
    second.submit(asked);
    for (let step = 0; step < 20; step += 1) await second.step();
    second.submit(request('light', 2, { tenantId: 'light' }));
    for (let step = 0; step < 5; step += 1) await second.step();
    expect(second.stats().parked).toBe(1);
    unfollow();

    const third = open();
    cut.follow(third);
    third.submit(request('other', 4, { tenantId: 'light' }));
    third.submit({ ...asked, epoch: 2, resume: cut.resume });
    await third.runUntilIdle();
    expect(cut.choices).toEqual(whole.choices);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { DeliveredAnswer } from '../../libs/engine/src/testing/delivered-answer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { fixtureModel } from './fixture-models.ts';

const SLOTS = 6;
const PREFILL_CHUNK_TOKENS = 16;

const REQUESTS: Record<string, Partial<EngineRequest>> = {
  'greedy text': {},
  'seeded sampling with penalties': {
    sampling: {
      ...GREEDY,
      temperature: 0.9,
      topP: 0.95,
      seed: 11,
      frequencyPenalty: 0.4,
      presencePenalty: 0.2,
      repetitionPenalty: 1.1,
    },
  },
  'three choices with log probabilities': {
    choices: 3,
    topLogprobs: 4,
    sampling: { ...GREEDY, temperature: 1, seed: 5 },
  },
};

describe.each(['tiny-llama', 'tiny-qwen3', 'tiny-mha'])('a request on %s that is cut and resumed', (name) => {
  const model = fixtureModel(name);
  let runner: ModelRunner;

  beforeAll(async () => {
    const { modelFile } = model;
    const maxChunkTokens = PREFILL_CHUNK_TOKENS;
    runner = await openModelRunner({
      modelFile,
      slots: SLOTS,
      slotTokens: 256,
      threads: 1,
      binding: 'auto',
      maxChunkTokens,
    });
  });

  afterAll(async () => {
    await runner?.close();
  });

  const request = (index: number, changes: Partial<EngineRequest>): EngineRequest => ({
    requestId: `r${index}`,
    epoch: 1,
    promptTokenIds: Int32Array.from(model.prompts[index]!.promptIds),
    choices: 1,
    sampling: { ...GREEDY },
    stop: { tokenIds: [], strings: ['<7><', '9>'], maxTokens: 40 },
    topLogprobs: null,
    ...changes,
  });

  /** Steps an engine over the shared runner; null runs it to its end. */
  async function attempt(asked: EngineRequest, answer: DeliveredAnswer, company: number, steps: number | null) {
    const tokenTable = numberedTokenTable(model.vocabularySize);
    const engine = new Engine({ runner, tokenTable, prefillChunkTokens: PREFILL_CHUNK_TOKENS });
    const stopFollowing = answer.follow(engine);
    for (let other = 0; other < company; other++) {
      engine.submit({ ...request(other + 8, {}), requestId: `other${other}` });
      await engine.step();
    }
    engine.submit(asked);
    if (steps === null) await engine.runUntilIdle();
    else for (let step = 0; step < steps; step++) await engine.step();
    stopFollowing();
    expect(answer.failure).toBeNull();
  }

  it.each(Object.entries(REQUESTS))('gives every bit of the undisturbed run: %s', async (_title, changes) => {
    for (const [index, steps] of [3, 9, 17, 30].entries()) {
      const asked = request(index, changes);
      const whole = new DeliveredAnswer(asked.requestId, asked.choices);
      await attempt(asked, whole, 0, null);
      const cut = new DeliveredAnswer(asked.requestId, asked.choices);
      await attempt(asked, cut, 2, steps);
      await attempt({ ...asked, epoch: 2, resume: cut.resume }, cut, 3, steps + 10);
      await attempt({ ...asked, epoch: 3, resume: cut.resume }, cut, 1, null);
      expect(cut.choices).toEqual(whole.choices);
    }
  });
});

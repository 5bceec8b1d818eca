import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GREEDY } from '#contracts';
import { Engine } from './engine.ts';
import type { EngineRequest } from './engine-request.ts';
import { DeliveredAnswer } from './testing/delivered-answer.ts';
import { HistoryModelRunner } from './testing/history-model-runner.ts';
import { requestOf } from './testing/requests.ts';
import { ScriptedConstraints } from './testing/scripted-constraints.ts';
import { tokenTableOf } from './testing/token-tables.ts';

const VOCABULARY = 24;
const SLOT_TOKENS = 48;
const SLOTS = 5;

/** `<0>` to `<18>`, and parts of é, € and 😀, so that texts are cut inside characters too. */
const tokenTable = tokenTableOf([
  ...Array.from({ length: 19 }, (_, token) => `<${token}>`),
  Uint8Array.of(0xc3),
  Uint8Array.of(0xa9),
  Uint8Array.of(0xe2, 0x82),
  Uint8Array.of(0xac),
  Uint8Array.of(0xf0, 0x9f),
]);

/** Constrained answers may say three tokens at each of 18 positions, and then nothing but a stop token. */
const SCRIPT = Array.from({ length: 18 }, (_, position) => [0, 5, 11].map((token) => (token + 7 * position) % 24));

function newEngine(prefillChunkTokens: number, replayLimitTokens?: number) {
  const runner = new HistoryModelRunner({ slots: SLOTS, slotTokens: SLOT_TOKENS, vocabularySize: VOCABULARY });
  return new Engine({
    runner,
    tokenTable,
    prefillChunkTokens,
    constraints: new ScriptedConstraints(VOCABULARY, SCRIPT),
    ...(replayLimitTokens !== undefined && { replayLimitTokens }),
  });
}

async function undisturbed(request: EngineRequest, prefillChunkTokens: number): Promise<DeliveredAnswer> {
  const engine = newEngine(prefillChunkTokens);
  const answer = new DeliveredAnswer(request.requestId, request.choices);
  answer.follow(engine);
  engine.submit(request);
  await engine.runUntilIdle();
  return answer;
}

/** Runs the request on engines that die after so many steps each, and on a last one that does not. */
async function interrupted(
  request: EngineRequest,
  prefillChunkTokens: number,
  stepsOfAttempts: readonly number[],
  company: number,
  replayLimitTokens?: number,
): Promise<DeliveredAnswer> {
  const answer = new DeliveredAnswer(request.requestId, request.choices);
  for (let attempt = 0; attempt <= stepsOfAttempts.length && !answer.finished; attempt++) {
    const engine = newEngine(prefillChunkTokens, replayLimitTokens);
    const stopFollowing = answer.follow(engine);
    for (let other = 0; other < company; other++) {
      engine.submit(
        requestOf(`other${other}`, [other + 1, 2, 3], { stop: { tokenIds: [], strings: [], maxTokens: 9 } }),
      );
    }
    for (let step = 0; step < company; step++) await engine.step();
    engine.submit({ ...request, epoch: attempt + 1, resume: attempt === 0 ? null : answer.resume });
    const steps = stepsOfAttempts[attempt];
    if (steps === undefined) await engine.runUntilIdle();
    else for (let step = 0; step < steps; step++) await engine.step();
    stopFollowing();
    await engine.close();
    if (answer.failure !== null) return answer;
    if (steps === undefined) expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, freeSlots: SLOTS });
  }
  return answer;
}

const request = fc
  .record({
    prompt: fc.array(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 20 }),
    choices: fc.constantFrom(1, 1, 2, 3),
    constrained: fc.boolean(),
    maxTokens: fc.integer({ min: 1, max: 30 }),
    topLogprobs: fc.constantFrom(null, 0, 3),
    stopTokenIds: fc.array(fc.nat(VOCABULARY - 1), { maxLength: 1 }),
    stopStrings: fc.array(fc.constantFrom('<3><', '7>', '<1', '><2', 'é', '€<'), { maxLength: 2 }),
    temperature: fc.constantFrom(0, 0.7, 1.3),
    seed: fc.integer(),
    topK: fc.constantFrom(0, 5),
    topP: fc.constantFrom(1, 0.8),
    frequencyPenalty: fc.constantFrom(0, 0.5),
    presencePenalty: fc.constantFrom(0, 0.4),
    repetitionPenalty: fc.constantFrom(1, 1.3),
  })
  .map(({ prompt, choices, constrained, maxTokens, topLogprobs, stopTokenIds, stopStrings, ...sampling }) =>
    requestOf('r', prompt, {
      choices,
      topLogprobs,
      constraint: constrained ? { type: 'json_object' } : null,
      sampling: { ...GREEDY, ...sampling },
      stop: { tokenIds: stopTokenIds, strings: stopStrings, maxTokens },
    }),
  );

describe('a request whose worker dies', () => {
  it('gets elsewhere, delta by delta, exactly what the undisturbed run gives, wherever and however often it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        request,
        fc.integer({ min: 3, max: 12 }),
        fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
        fc.nat(3),
        async (asked, prefillChunkTokens, stepsOfAttempts, company) => {
          const expected = await undisturbed(asked, prefillChunkTokens);
          const actual = await interrupted(asked, prefillChunkTokens, stepsOfAttempts, company);
          expect(actual.failure).toBeNull();
          expect(actual.choices).toEqual(expected.choices);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('goes on behind what was delivered when that is prefilled, too', async () => {
    await fc.assert(
      fc.asyncProperty(
        request,
        fc.array(fc.nat(40), { minLength: 1, maxLength: 2 }),
        async (asked, stepsOfAttempts) => {
          const actual = await interrupted(asked, 5, stepsOfAttempts, 2, 0);
          const fast = await interrupted({ ...asked, resumeFast: true }, 5, stepsOfAttempts, 2);
          expect(fast).toEqual(actual);
          expect(actual.failure).toBeNull();
          expect(actual.finished).toBe(true);
          for (const { deltas, finish } of actual.choices) expect(finish?.completionTokens).toBe(deltas.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('prefills the delivered tokens above the limit and decodes them anew below it', async () => {
    const asked = requestOf('r', [1, 2, 3], { stop: { tokenIds: [], strings: [], maxTokens: 20 } });
    for (const [limit, log] of [
      [6, 'prefill slot=0 past=0 tokens=10'],
      [7, 'prefill slot=0 past=0 tokens=3'],
    ] as const) {
      const engine = newEngine(12, limit);
      engine.submit({ ...asked, resume: [{ tokenIds: [4, 5, 6, 7, 8, 9, 10], finished: false }] });
      let first: number | undefined;
      engine.onStep(({ deltas }) => {
        first ??= deltas[0]?.firstIndex;
      });
      await engine.runUntilIdle();
      expect((engine.runner as HistoryModelRunner).log[0]).toBe(log);
      expect(first).toBe(7);
    }
  });

  it('only hears of the end when nothing but that was missing', async () => {
    const asked = requestOf('r', [1, 2, 3]);
    const whole = await undisturbed(asked, 8);
    const answer = new DeliveredAnswer('r', 1);
    const engine = newEngine(8);
    answer.follow(engine);
    engine.submit({ ...asked, resume: [{ ...whole.resume[0]!, finished: false }] });
    await engine.runUntilIdle();
    expect(answer.choices).toEqual([{ deltas: [], finish: whole.choices[0]!.finish }]);
    expect(engine.stats().stepsTotal).toBe(0);
  });

  it('is refused when what was delivered can not be its own', async () => {
    for (const [resume, message] of [
      [[{ tokenIds: Array.from({ length: 9 }, () => 4), finished: false }], /go on behind its end/],
      [[{ tokenIds: [VOCABULARY], finished: false }], /not in the model's vocabulary/],
      [[], /0 choices are to be resumed/],
    ] as const) {
      const answer = new DeliveredAnswer('r', 1);
      const engine = newEngine(8);
      answer.follow(engine);
      engine.submit({ ...requestOf('r', [1, 2, 3]), resume });
      await engine.runUntilIdle();
      expect(answer.failure).toMatch(message);
    }
  });
});

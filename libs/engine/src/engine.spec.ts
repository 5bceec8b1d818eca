import { describe, expect, it } from 'vitest';
import { GREEDY } from '#contracts';
import { Engine } from './engine.ts';
import type { EngineOptions } from './engine-options.ts';
import type { StepOutput } from './step-output.ts';
import { CollectedAnswers } from './testing/collected-answers.ts';
import { HistoryModelRunner, type HistoryModelRunnerOptions } from './testing/history-model-runner.ts';
import { requestOf } from './testing/requests.ts';
import { numberedTokenTable } from './testing/token-tables.ts';

function setUp(options: HistoryModelRunnerOptions = {}, prefillChunkTokens = 8, more: Partial<EngineOptions> = {}) {
  const runner = new HistoryModelRunner(options);
  const tokenTable = numberedTokenTable(runner.shape.vocabularySize);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens, ...more });
  return { runner, engine, collected: new CollectedAnswers(engine) };
}

const tokens = (count: number, first = 0) => Array.from({ length: count }, (_, index) => (first + index * 7) % 32);
const endless = { tokenIds: [], strings: [], maxTokens: 1_000 };

async function answerOf(request: ReturnType<typeof requestOf>, options: HistoryModelRunnerOptions = {}) {
  const { engine, collected } = setUp(options);
  engine.submit(request);
  await engine.runUntilIdle();
  return collected.answer(request.requestId);
}

function interruption(): Error {
  const error = new Error('the run was interrupted');
  error.name = 'RunInterruptedError';
  return error;
}

describe('Engine scheduling', () => {
  it('makes no promise with a runner that blocks its thread', () => {
    const { engine } = setUp();
    engine.submit(requestOf('r', tokens(3)));
    expect(engine.step()).toBe(true);
    while (engine.step() === true);
    expect(engine.step()).toBe(false);
  });

  it('puts one decode run between two chunks of a long prompt', async () => {
    const { runner, engine } = setUp({ slotTokens: 64 });
    engine.submit(requestOf('running', tokens(3), { stop: endless }));
    await engine.step();
    engine.submit(requestOf('long', tokens(25)));
    for (let step = 0; step < 6; step++) await engine.step();
    expect(runner.log.slice(1)).toEqual([
      'decode rows=1',
      'prefill slot=1 past=0 tokens=8',
      'decode rows=1',
      'prefill slot=1 past=8 tokens=8',
      'decode rows=1',
      'prefill slot=1 past=16 tokens=7',
    ]);
  });

  it('computes several short prompts between two decode runs when they fit the budget together', async () => {
    const { runner, engine } = setUp();
    for (const id of ['a', 'b', 'c']) engine.submit(requestOf(id, tokens(3)));
    for (let step = 0; step < 4; step++) await engine.step();
    expect(runner.log.map((line) => line.split(' ')[0])).toEqual(['prefill', 'prefill', 'decode', 'prefill']);
  });

  it('computes the prompt of several choices once, also when they do not all fit at a time', async () => {
    const { runner, engine, collected } = setUp({ slots: 3 });
    const sampling = { ...GREEDY, temperature: 1, seed: 5 };
    engine.submit(requestOf('other', tokens(4), { stop: { ...endless, maxTokens: 5 } }));
    engine.submit(requestOf('r', tokens(6), { choices: 3, sampling }));
    await engine.runUntilIdle();
    expect(runner.log.filter((line) => line.startsWith('prefill'))).toHaveLength(2);
    const first = await answerOf(requestOf('r', tokens(6), { sampling }));
    expect(collected.answer('r', 0)).toEqual(first);
    expect([0, 1, 2].every((choice) => collected.answer('r', choice).finish?.reason === 'length')).toBe(true);
    expect(engine.stats()).toMatchObject({ running: 0, freeSlots: 3 });
  });

  it('publishes one output per step, and counters that changed without tokens', async () => {
    const { engine, collected } = setUp();
    engine.submit(requestOf('a', tokens(20)));
    await engine.step();
    expect(collected.outputs).toHaveLength(1);
    expect(collected.outputs[0]).toMatchObject({ deltas: [], stats: { running: 1, prefilledTokensTotal: 8 } });
    engine.cancel('a', 1);
    expect(await engine.step()).toBe(false);
    expect(collected.outputs).toHaveLength(2);
    expect(collected.outputs[1]?.stats).toMatchObject({ running: 0, freeSlots: 4 });
    await engine.step();
    expect(collected.outputs).toHaveLength(2);
  });

  it('publishes the tokens of quick runs together where an interval is set, and before longer runs', async () => {
    const load = (engine: Engine) => {
      engine.submit(requestOf('long', tokens(20), { stop: { ...endless, maxTokens: 60 } }));
      engine.submit(requestOf('short', tokens(3), { choices: 2, stop: { ...endless, maxTokens: 7 } }));
    };
    const each = setUp();
    load(each.engine);
    await each.engine.runUntilIdle();
    const together = setUp({}, 8, { publishIntervalMs: 10_000 });
    load(together.engine);
    await together.engine.runUntilIdle();
    const deltas = (outputs: readonly StepOutput[]) => outputs.flatMap((output) => output.deltas);
    expect(deltas(together.collected.outputs)).toEqual(deltas(each.collected.outputs));
    expect(together.collected.outputs.length).toBeLessThan(each.collected.outputs.length / 2);
    expect(together.collected.outputs.at(-1)?.stats).toMatchObject({ running: 0, freeSlots: 4 });
  });

  it('publishes the first token of an answer that is delivered whole at once, and the others together, in any case before its end', async () => {
    const { engine, collected } = setUp({ slotTokens: 500 });
    engine.submit(requestOf('whole', tokens(3), { whole: true, stop: { ...endless, maxTokens: 300 } }));
    engine.submit(requestOf('cut', tokens(4), { whole: true, stop: endless }));
    engine.submit(requestOf('streamed', tokens(5), { stop: { ...endless, maxTokens: 300 } }));
    for (let step = 0; step < 40; step++) await engine.step();
    engine.cancel('cut', 1);
    await engine.runUntilIdle();
    const deltas = collected.outputs.flatMap((output) => output.deltas);
    const tokensPerDelta = (id: string) =>
      deltas.filter(({ requestId }) => requestId === id).map(({ tokenIds }) => tokenIds.length);
    expect(tokensPerDelta('streamed')).toEqual(Array(300).fill(1));
    for (const [id, reason] of [
      ['whole', 'length'],
      ['cut', 'cancelled'],
    ] as const) {
      expect(tokensPerDelta(id)[0]).toBe(1);
      expect(tokensPerDelta(id).length).toBeLessThan(collected.answer(id).tokenIds.length / 2);
      expect(collected.answer(id).finish?.reason).toBe(reason);
    }
    const { tokenIds, text } = await answerOf(requestOf('whole', tokens(3), { stop: { ...endless, maxTokens: 300 } }), {
      slotTokens: 500,
    });
    expect(collected.answer('whole')).toMatchObject({ tokenIds, text });
  });
});

describe('Engine cancellation', () => {
  it.each([
    ['waiting', 0, 0],
    ['between the chunks of its prompt', 1, 0],
    ['decoding', 5, 3],
  ])('frees everything before the next step when the sequence is %s', async (_, steps, tokenCount) => {
    const { engine, collected } = setUp({ slots: 2 });
    engine.submit(requestOf('r', tokens(20), { stop: endless, choices: 2 }));
    for (let step = 0; step < steps; step++) await engine.step();
    engine.cancel('r', 2);
    engine.cancel('r', 1);
    engine.cancel('unknown', 1);
    await engine.step();
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, freeSlots: 2 });
    for (const choice of [0, 1]) expect(collected.answer('r', choice).finish?.reason).toBe('cancelled');
    expect(collected.answer('r', 0).tokenIds.length).toBeLessThanOrEqual(tokenCount);
    expect(await engine.step()).toBe(false);
  });

  it('stops the token of the run in hand when it comes during that run', async () => {
    const { runner, engine, collected } = setUp({ asynchronous: true });
    for (const id of ['a', 'b', 'c']) engine.submit(requestOf(id, tokens(3, id.charCodeAt(0)), { stop: endless }));
    for (let step = 0; step < 7; step++) await engine.step();
    const before = collected.answer('a').tokenIds.length;
    runner.afterRun = () => engine.cancel('a', 1);
    await engine.step();
    expect(collected.answer('a').tokenIds).toHaveLength(before);
    expect(collected.answer('a').finish?.reason).toBe('cancelled');
    expect(engine.stats()).toMatchObject({ running: 2, freeSlots: 2 });
    for (let step = 0; step < 4; step++) await engine.step();
    const solo = await answerOf(requestOf('c', tokens(3, 'c'.charCodeAt(0)), { stop: endless }));
    const { tokenIds } = collected.answer('c');
    expect(tokenIds).toEqual(solo.tokenIds.slice(0, tokenIds.length));
  });

  it('cancels what runs when it closes, and closes the runner', async () => {
    const { runner, engine, collected } = setUp({ asynchronous: true });
    engine.submit(requestOf('r', tokens(3), { stop: endless }));
    await engine.step();
    const step = engine.step();
    await engine.close();
    await step;
    expect(collected.answer('r').finish?.reason).toBe('cancelled');
    expect(runner.closed).toBe(true);
  });
});

describe('Engine failures', () => {
  it('fails the rows of a decode run that throws, and goes on with the others', async () => {
    const { runner, engine, collected } = setUp({ slots: 2 });
    for (const id of ['a', 'b', 'c']) engine.submit(requestOf(id, tokens(3, id.charCodeAt(0))));
    await engine.step();
    await engine.step();
    runner.failNext = new Error('out of memory');
    await engine.runUntilIdle();
    expect([...collected.failures.keys()].sort()).toEqual(['a', 'b']);
    expect(collected.failures.get('a')).toMatchObject({ code: 'engine_failed', epoch: 1 });
    expect(collected.failures.get('a')?.message).toContain('out of memory');
    expect(collected.answer('c')).toEqual(await answerOf(requestOf('c', tokens(3, 'c'.charCodeAt(0)))));
    expect(engine.stats()).toMatchObject({ running: 0, freeSlots: 2 });
  });

  it('fails only the prompt whose run throws', async () => {
    const { runner, engine, collected } = setUp();
    engine.submit(requestOf('a', tokens(3)));
    await engine.step();
    await engine.step();
    engine.submit(requestOf('b', tokens(20), { choices: 2 }));
    runner.failNext = new Error('bad chunk');
    await engine.runUntilIdle();
    expect([...collected.failures.keys()]).toEqual(['b']);
    expect(collected.answer('a')).toEqual(await answerOf(requestOf('a', tokens(3))));
  });

  it('is fatal when the runner fails again on the proof that it still works', async () => {
    const { runner, engine, collected } = setUp({ slots: 1 });
    const fatal: Error[] = [];
    engine.onFatal((error) => fatal.push(error));
    engine.submit(requestOf('a', tokens(3)));
    engine.submit(requestOf('b', tokens(3)));
    await engine.step();
    runner.prefill = () => {
      throw new Error('the device is lost');
    };
    runner.failNext = new Error('first');
    await engine.runUntilIdle();
    expect(fatal.map((error) => error.message)).toEqual(['the engine can not go on: the device is lost']);
    engine.submit(requestOf('late', tokens(3)));
    await engine.step();
    expect([...collected.failures.keys()]).toEqual(['a', 'b', 'late']);
  });

  it('ends a cancelled prompt whose run was interrupted, and begins again one that was interrupted by mistake', async () => {
    const { runner, engine, collected } = setUp();
    engine.submit(requestOf('a', tokens(20)));
    engine.submit(requestOf('b', tokens(20)));
    await engine.step();
    runner.failNext = interruption();
    engine.onRunEnd(() => engine.cancel('a', 1));
    await engine.step();
    expect(collected.answer('a').finish?.reason).toBe('cancelled');
    await engine.step();
    runner.failNext = interruption();
    await engine.runUntilIdle();
    expect(collected.answer('b')).toEqual(await answerOf(requestOf('b', tokens(20))));
    expect(collected.failures.size).toBe(0);
  });

  it('fails a request whose logits are NaN, and no other in the batch', async () => {
    const { runner, engine, collected } = setUp();
    for (const id of ['a', 'b', 'c']) engine.submit(requestOf(id, tokens(3, id.charCodeAt(0))));
    let spoiled = false;
    runner.afterRun = (kind, rows) => {
      if (kind === 'decode' && rows === 3 && !spoiled) {
        spoiled = true;
        runner.logits[32 + 5] = Number.NaN;
      }
    };
    await engine.runUntilIdle();
    expect([...collected.failures.keys()]).toEqual(['b']);
    expect(collected.failures.get('b')?.message).toMatch(/no usable logits for token \d+ of choice 0/);
    for (const id of ['a', 'c']) {
      expect(collected.answer(id)).toEqual(await answerOf(requestOf(id, tokens(3, id.charCodeAt(0)))));
    }
  });

  it.each([
    ['an empty prompt', requestOf('r', []), 'invalid_request', /empty/],
    ['a prompt as long as a slot', requestOf('r', tokens(64)), 'context_length_exceeded', /64 tokens.* 64: .*63/],
    ['a token outside the vocabulary', requestOf('r', [1, 32]), 'invalid_request', /32 of the prompt.*32/],
    ['more choices than slots', requestOf('r', [1], { choices: 5 }), 'invalid_request', /5 choices.*1 to 4/],
    [
      'a bias outside the vocabulary',
      requestOf('r', [1], { sampling: { ...GREEDY, logitBias: [[40, 1]] } }),
      'invalid_request',
      /40 of logit_bias.*32/,
    ],
  ])('refuses %s at once', async (_, request, code, message) => {
    const { engine, collected } = setUp();
    engine.submit(request);
    expect(await engine.step()).toBe(false);
    expect(collected.failures.get('r')?.code).toBe(code);
    expect(collected.failures.get('r')?.message).toMatch(message);
  });
});

describe('Engine answers', () => {
  it('ends at a stop token, which counts but is not shown', async () => {
    const free = await answerOf(requestOf('r', tokens(3)));
    const stopToken = free.tokenIds[3]!;
    const count = free.tokenIds.indexOf(stopToken) + 1;
    const answer = await answerOf(
      requestOf('r', tokens(3), { stop: { tokenIds: [stopToken], strings: ['<never'], maxTokens: 8 } }),
    );
    expect(answer.finish).toMatchObject({ reason: 'stop', stopString: null, completionTokens: count });
    expect(answer.text).toBe(
      free.tokenIds
        .slice(0, count - 1)
        .map((token) => `<${token}>`)
        .join(''),
    );
  });

  it('ends at a stop string across tokens, and shows the text before it', async () => {
    const free = await answerOf(requestOf('r', tokens(3)));
    const stopString = `${free.tokenIds[2]}><${free.tokenIds[3]}`;
    const answer = await answerOf(
      requestOf('r', tokens(3), { stop: { tokenIds: [], strings: [stopString], maxTokens: 8 } }),
    );
    expect(answer.finish).toMatchObject({ reason: 'stop', stopString });
    expect(answer.text).toBe(free.text.slice(0, free.text.indexOf(stopString)));
  });

  it('releases held text at the token limit', async () => {
    const answer = await answerOf(requestOf('r', tokens(3), { stop: { tokenIds: [], strings: ['>!'], maxTokens: 4 } }));
    expect(answer.finish).toMatchObject({ reason: 'length', completionTokens: 4 });
    expect(answer.text.endsWith('>')).toBe(true);
  });

  it('ends with length when the slot is full: prompt and answer together', async () => {
    const answer = await answerOf(requestOf('r', tokens(60), { stop: endless }));
    expect(answer.finish).toMatchObject({ reason: 'length', completionTokens: 4 });
  });

  it('gives log probabilities of each token when asked for', async () => {
    const { engine, collected } = setUp();
    engine.submit(requestOf('r', tokens(3), { topLogprobs: 2, sampling: { ...GREEDY, frequencyPenalty: 2 } }));
    await engine.runUntilIdle();
    const deltas = collected.outputs.flatMap((output) => output.deltas);
    expect(deltas).toHaveLength(8);
    for (const { tokenIds, logprobs } of deltas) {
      expect(logprobs).toHaveLength(1);
      expect(logprobs[0]?.tokenId).toBe(tokenIds[0]);
      expect(logprobs[0]?.top).toHaveLength(2);
      expect(logprobs[0]?.logprob).toBeLessThan(0);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GREEDY } from '#contracts';
import { Engine } from '../engine.ts';
import { CollectedAnswers } from '../testing/collected-answers.ts';
import { HistoryModelRunner } from '../testing/history-model-runner.ts';
import { requestOf } from '../testing/requests.ts';
import { ScriptedConstraints } from '../testing/scripted-constraints.ts';
import { numberedTokenTable } from '../testing/token-tables.ts';

const VOCABULARY = 70;
const constraint = { type: 'json_object' } as const;

function bareEngineWith(script: readonly (readonly number[])[]) {
  const constraints = new ScriptedConstraints(VOCABULARY, script);
  const runner = new HistoryModelRunner({ slots: 8, slotTokens: 64, vocabularySize: VOCABULARY, blocks: 8 });
  const tokenTable = numberedTokenTable(VOCABULARY);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8, constraints });
  return { engine, constraints };
}

function engineWith(script: readonly (readonly number[])[]) {
  const parts = bareEngineWith(script);
  return { ...parts, answers: new CollectedAnswers(parts.engine) };
}

describe('an engine with constraints', () => {
  it('draws none but allowed tokens, whatever the sampling, and ends at the stop token', async () => {
    const token = fc.nat(VOCABULARY - 1);
    const script = fc.array(fc.uniqueArray(token, { minLength: 1, maxLength: 40 }), { maxLength: 6 });
    const sampling = fc.record({ temperature: fc.constantFrom(0, 0.5, 2), seed: fc.nat(), topK: fc.nat(5) });
    await fc.assert(
      fc.asyncProperty(script, sampling, fc.integer({ min: 1, max: 4 }), async (script, sampling, choices) => {
        const { engine, constraints, answers } = engineWith(
          script.map((tokens) => tokens.filter((each) => each !== 7)),
        );
        if (script.some((tokens) => tokens.every((each) => each === 7))) return;
        const logitBias: [number, number][] = [[3, 100]];
        const stop = { tokenIds: [7], strings: [], maxTokens: 20 };
        engine.submit(
          requestOf('a', [1, 2, 3], { choices, constraint, stop, sampling: { ...GREEDY, ...sampling, logitBias } }),
        );
        await engine.runUntilIdle();
        for (let choice = 0; choice < choices; choice++) {
          const { tokenIds, finish } = answers.answer('a', choice);
          expect(tokenIds.length).toBe(script.length + 1);
          expect(tokenIds.at(-1)).toBe(7);
          for (const [position, allowed] of script.entries()) expect(allowed).toContain(tokenIds[position]);
          expect(finish?.reason).toBe('stop');
        }
        expect([constraints.made, constraints.disposed]).toEqual([choices, choices]);
      }),
      { numRuns: 100 },
    );
  });

  it('passes on what was made of a constraint elsewhere, to each choice', async () => {
    const { engine, constraints } = engineWith([[1]]);
    const translated = Int32Array.of(7, 0);
    const stop = { tokenIds: [7], strings: [], maxTokens: 4 };
    engine.submit(requestOf('with', [1, 2], { choices: 2, constraint, translated, stop }));
    engine.submit(requestOf('without', [1, 2], { constraint, stop }));
    await engine.runUntilIdle();
    expect(constraints.translated).toEqual([translated, translated, null]);
  });

  it('leaves the tokens of free requests in the same batch as they are alone', async () => {
    const alone = engineWith([]);
    alone.engine.submit(requestOf('free', [5, 6, 7], { sampling: { ...GREEDY, temperature: 1, seed: 3 } }));
    await alone.engine.runUntilIdle();
    const mixed = engineWith([[1], [2, 3], [4, 5, 6]]);
    mixed.engine.submit(requestOf('bound', [5, 6, 7], { constraint, choices: 3 }));
    mixed.engine.submit(requestOf('free', [5, 6, 7], { sampling: { ...GREEDY, temperature: 1, seed: 3 } }));
    await mixed.engine.runUntilIdle();
    expect(mixed.answers.answer('free').tokenIds).toEqual(alone.answers.answer('free').tokenIds);
    expect(mixed.answers.answer('free').tokenIds.length).toBe(8);
  });

  it('fails a request for which no token is left, and goes on with the others', async () => {
    const { engine, constraints, answers } = engineWith([[1], []]);
    engine.submit(requestOf('stuck', [1, 2, 3], { constraint, stop: { tokenIds: [7], strings: [], maxTokens: 9 } }));
    engine.submit(requestOf('free', [5, 6, 7]));
    await engine.runUntilIdle();
    // A code that no other attempt is made after: every attempt would come to the same dead end.
    expect(answers.failures.get('stuck')).toMatchObject({ code: 'invalid_request' });
    expect(answers.failures.get('stuck')?.message).toContain(
      'no token of the vocabulary fits the constraint at token 1',
    );
    expect(answers.answer('free').finish?.reason).toBe('length');
    expect(constraints.disposed).toBe(1);
  });

  it('keeps what was computed of the prompt of a request for which no token is left', async () => {
    const { engine, answers } = engineWith([[1], []]);
    const prompt = Array.from({ length: 40 }, (_, i) => i);
    engine.submit(requestOf('stuck', prompt, { constraint }));
    await engine.runUntilIdle();
    expect(answers.failures.has('stuck')).toBe(true);
    engine.submit(requestOf('free', prompt));
    await engine.runUntilIdle();
    expect(answers.answer('free').finish?.cachedPromptTokens).toBeGreaterThan(0);
  });

  it('fails a request whose constraint gives up, and goes on with the others', async () => {
    const { engine, constraints, answers } = engineWith([[1], [2]]);
    constraints.failAt = 1;
    engine.submit(requestOf('stuck', [1, 2, 3], { constraint, stop: { tokenIds: [7], strings: [], maxTokens: 9 } }));
    engine.submit(requestOf('free', [5, 6, 7]));
    await engine.runUntilIdle();
    expect(answers.failures.get('stuck')).toMatchObject({ code: 'invalid_request' });
    expect(answers.failures.get('stuck')?.message).toContain('could not be enforced at token 1');
    expect(answers.answer('free').finish?.reason).toBe('length');
  });

  it('ends by itself when nothing may follow and there is no stop token', async () => {
    const { engine, answers } = engineWith([[1], [2]]);
    engine.submit(requestOf('a', [1, 2, 3], { constraint }));
    await engine.runUntilIdle();
    expect(answers.answer('a')).toMatchObject({ tokenIds: [1, 2], text: '<1><2>', finish: { reason: 'stop' } });
  });

  it('says length when the answer is cut, and frees the constraint of a cancelled one', async () => {
    const { engine, constraints, answers } = engineWith(Array.from({ length: 30 }, () => [1, 2]));
    engine.submit(requestOf('cut', [1, 2, 3], { constraint }));
    engine.submit(requestOf('gone', [1, 2, 3], { constraint }));
    engine.cancel('gone', 1);
    await engine.runUntilIdle();
    expect(answers.answer('cut').finish?.reason).toBe('length');
    expect(answers.answer('gone').finish?.reason).toBe('cancelled');
    expect(constraints.disposed).toBe(2);
  });

  it('brings the constraint of a resumed answer to where an earlier attempt left it', async () => {
    const script = [
      [1, 2],
      [3, 4],
      [5, 6],
      [8, 9],
    ];
    const stop = { tokenIds: [7], strings: [], maxTokens: 20 };
    const sampling = { ...GREEDY, temperature: 1, seed: 11 };
    const whole = engineWith(script);
    whole.engine.submit(requestOf('a', [1, 2, 3], { constraint, stop, sampling }));
    await whole.engine.runUntilIdle();
    const { tokenIds } = whole.answers.answer('a');
    const resumed = bareEngineWith(script);
    const delivered: number[] = [];
    resumed.engine.onStep(({ deltas }) => delivered.push(...deltas.flatMap((delta) => delta.tokenIds)));
    const resume = [{ tokenIds: tokenIds.slice(0, 2), finished: false }];
    resumed.engine.submit(requestOf('b', [1, 2, 3], { constraint, stop, sampling, resume }));
    await resumed.engine.runUntilIdle();
    expect(delivered).toEqual(tokenIds.slice(2));
  });

  it('refuses a constraint that it can not enforce', async () => {
    const runner = new HistoryModelRunner({ vocabularySize: VOCABULARY });
    const engine = new Engine({ runner, tokenTable: numberedTokenTable(VOCABULARY), prefillChunkTokens: 8 });
    const answers = new CollectedAnswers(engine);
    engine.submit(requestOf('a', [1, 2, 3], { constraint }));
    await engine.runUntilIdle();
    expect(answers.failures.get('a')).toMatchObject({ code: 'invalid_request' });
  });
});

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
const ANY = Array.from({ length: VOCABULARY }, (_, token) => token);
const SCRIPT = Array.from({ length: 8 }, () => ANY.slice(10, 60));

/** An engine whose masks are whole after so many pieces of work. */
function engineWith(preparations: number, keepsStates = false) {
  const constraints = new ScriptedConstraints(VOCABULARY, SCRIPT);
  constraints.preparations = preparations;
  const sizes = { slots: 8, slotTokens: 64, vocabularySize: VOCABULARY, blocks: 8 };
  const runner = new HistoryModelRunner({ ...sizes, keepsStates });
  const tokenTable = numberedTokenTable(VOCABULARY);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8, constraints });
  return { engine, constraints, answers: new CollectedAnswers(engine) };
}

describe('masks that take long', () => {
  it("hold up nobody else's tokens: the row stands still until its mask is whole", async () => {
    const { engine, answers } = engineWith(20);
    engine.submit(requestOf('bound', [1, 2, 3], { tenantId: 'a', constraint }));
    engine.submit(requestOf('free', [5, 6, 7], { tenantId: 'b' }));
    while (answers.answer('free').finish === null) await engine.step();
    // The first token of each comes with its prompt; of the seven runs that followed, the bound row has used none.
    expect(answers.answer('free').tokenIds.length).toBe(8);
    expect(answers.answer('bound').tokenIds.length).toBeLessThanOrEqual(2);
    await engine.runUntilIdle();
    expect(answers.answer('bound').tokenIds.length).toBe(8);
  });

  it('are made at once for a tenant that is alone', async () => {
    const { engine, answers } = engineWith(20);
    engine.submit(requestOf('bound', [1, 2, 3], { tenantId: 'a', constraint }));
    engine.submit(requestOf('free', [5, 6, 7], { tenantId: 'a' }));
    while (answers.answer('free').finish === null) await engine.step();
    expect(answers.answer('bound').tokenIds.length).toBeGreaterThanOrEqual(7);
  });

  it('change no token of any answer, and count none twice', async () => {
    const requests = fc.array(
      fc.record({
        tenantId: fc.constantFrom('a', 'b', 'c'),
        isBound: fc.boolean(),
        prompt: fc.array(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 20 }),
        choices: fc.integer({ min: 1, max: 2 }),
        seed: fc.nat(),
        logprobs: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 0, max: 9 }), fc.boolean(), async (requests, most, keepsStates) => {
        const answersOf = async (pieces: number) => {
          const { engine, constraints, answers } = engineWith(pieces, keepsStates);
          for (const [index, { tenantId, isBound, prompt, choices, seed, logprobs }] of requests.entries()) {
            const sampling = { ...GREEDY, temperature: 1, seed };
            const held = isBound ? { constraint } : {};
            const topLogprobs = logprobs ? 2 : null;
            engine.submit(requestOf(`r${index}`, prompt, { tenantId, choices, sampling, topLogprobs, ...held }));
          }
          await engine.runUntilIdle();
          expect(constraints.disposed).toBe(constraints.made);
          const { decodedTokensTotal } = engine.stats();
          return { decodedTokensTotal, answers: answers.answers };
        };
        expect(await answersOf(most)).toEqual(await answersOf(0));
      }),
      { numRuns: 150 },
    );
  });

  it('that can not be made end their request only', async () => {
    const { engine, constraints, answers } = engineWith(3);
    constraints.failAt = 3;
    engine.submit(requestOf('stuck', [1, 2, 3], { tenantId: 'a', constraint }));
    engine.submit(requestOf('free', [5, 6, 7], { tenantId: 'b' }));
    await engine.runUntilIdle();
    expect(answers.failures.get('stuck')?.message).toContain('could not be enforced at token 3');
    expect(answers.answer('free').finish?.reason).toBe('length');
  });

  it('do not outlive a cancel', async () => {
    const { engine, constraints, answers } = engineWith(Number.POSITIVE_INFINITY);
    engine.submit(requestOf('bound', [1, 2, 3], { tenantId: 'a', constraint }));
    engine.submit(requestOf('free', [5, 6, 7], { tenantId: 'b' }));
    while (answers.answer('free').finish === null) await engine.step();
    engine.submit(requestOf('other', [5, 6, 7], { tenantId: 'b' }));
    engine.cancel('bound', 1);
    await engine.runUntilIdle();
    expect(answers.answer('bound').finish?.reason).toBe('cancelled');
    expect(constraints.disposed).toBe(1);
  });

  it('are worked on for each tenant, however many rows of another wait', async () => {
    const workMs = 2;
    const { engine, constraints, answers } = engineWith(0);
    constraints.prepareForMs = workMs;
    for (let index = 0; index < 6; index++) {
      engine.submit(requestOf(`many${index}`, [1, 2, index], { tenantId: 'a', constraint }));
    }
    engine.submit(requestOf('one', [5, 6, 7], { tenantId: 'b', constraint }));
    while (answers.answer('one').finish === null) await engine.step();
    const ofMany = Array.from({ length: 6 }, (_, index) => answers.answer(`many${index}`).tokenIds.length);
    // The first token of each came with its prompt. Behind that both tenants have had the same time.
    expect(ofMany.reduce((sum, tokens) => sum + tokens - 1, 0)).toBeLessThan(2 * 7);
    await engine.runUntilIdle();
    for (let index = 0; index < 6; index++) expect(answers.answer(`many${index}`).tokenIds.length).toBe(8);
  });
});

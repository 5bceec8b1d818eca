import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GREEDY } from '#contracts';
import { Engine } from '../engine.ts';
import type { EngineOptions } from '../engine-options.ts';
import type { EngineRequest } from '../engine-request.ts';
import { CollectedAnswers } from '../testing/collected-answers.ts';
import { HistoryModelRunner, type HistoryModelRunnerOptions } from '../testing/history-model-runner.ts';
import { requestOf } from '../testing/requests.ts';
import { ScriptedConstraints } from '../testing/scripted-constraints.ts';
import { ScriptedProposer } from '../testing/scripted-proposer.ts';
import { numberedTokenTable } from '../testing/token-tables.ts';
import { LikelyTokens } from './likely-tokens.ts';

const VOCABULARY = 32;
const PROMPT = [3, 1, 4, 1, 5];

function setUp(engineOptions: Partial<EngineOptions> = {}, runnerOptions: HistoryModelRunnerOptions = {}) {
  const runner = new HistoryModelRunner({ vocabularySize: VOCABULARY, verifyTokens: 5, ...runnerOptions });
  const tokenTable = numberedTokenTable(VOCABULARY);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8, ...engineOptions });
  return { runner, engine, collected: new CollectedAnswers(engine) };
}

async function plainAnswer(request: EngineRequest, options: Partial<EngineOptions> = {}) {
  const { engine, collected } = setUp(options);
  engine.submit(request);
  await engine.runUntilIdle();
  return collected;
}

/** Proposes the tokens of an answer, but for those at some positions. */
const guesses = (tokenIds: readonly number[], wrong: readonly number[] = []) =>
  new ScriptedProposer(({ completionTokens }) =>
    tokenIds
      .map((tokenId, position) => (wrong.includes(position) ? (tokenId + 1) % VOCABULARY : tokenId))
      .slice(completionTokens),
  );

const long = { tokenIds: [], strings: [], maxTokens: 20 };

describe('an engine that verifies proposals', () => {
  it('takes as many tokens from one run as were proposed rightly, and one more', async () => {
    const request = requestOf('r', PROMPT, { stop: long });
    const expected = (await plainAnswer(request)).answer('r');
    const { runner, engine, collected } = setUp({ proposer: guesses(expected.tokenIds, [9]) });
    engine.submit(request);
    await engine.runUntilIdle();
    expect(collected.answer('r')).toEqual(expected);
    // One token by the prompt, five by a run, three and the right one in place of the wrong one by the next, then five and five.
    expect(runner.log.slice(1)).toEqual([
      'verify slot=0 past=5 tokens=5',
      'verify slot=0 past=10 tokens=5',
      'verify slot=0 past=14 tokens=5',
      'verify slot=0 past=19 tokens=5',
    ]);
    const { decodedTokensTotal, verifyRunsTotal, proposedTokensTotal, acceptedTokensTotal } = engine.stats();
    expect([decodedTokensTotal, verifyRunsTotal, proposedTokensTotal, acceptedTokensTotal]).toEqual([19, 4, 16, 15]);
    expect(collected.outputs.map(({ deltas }) => deltas.map(({ tokenIds }) => tokenIds.length))).toEqual(
      expect.arrayContaining([1, 5, 4, 5, 5].map((tokens) => new Array(tokens).fill(1))),
    );
  });

  it('tells the proposer what runs of one row take, and what those take that verify', async () => {
    const proposer = new ScriptedProposer(({ completionTokens }) => (completionTokens === 3 ? [1, 2] : []));
    const { engine } = setUp({ proposer });
    engine.submit(requestOf('r', PROMPT));
    await engine.runUntilIdle();
    expect(proposer.told.slice(0, 4)).toEqual(['decode', 'decode', 3, 'decode']);
  });

  it('proposes no more than the answer may still have, nor than the slot holds', async () => {
    const asked: number[] = [];
    const proposer = new ScriptedProposer(({ computedTokens, completionTokens }, most) => {
      asked.push(computedTokens + 1 + most);
      expect(completionTokens + most).toBeLessThan(12);
      return [completionTokens % VOCABULARY];
    });
    const { engine, collected } = setUp({ proposer }, { slotTokens: 17 });
    engine.submit(requestOf('r', PROMPT, { stop: { ...long, maxTokens: 100 } }));
    await engine.runUntilIdle();
    expect(collected.answer('r').tokenIds).toHaveLength(12);
    expect(Math.max(...asked)).toBeLessThanOrEqual(17);
  });

  it('verifies for one answer alone, and for nobody while a prompt waits or is computed', async () => {
    const proposer = new ScriptedProposer(() => [1, 2, 3]);
    const { runner, engine } = setUp({ proposer }, { slots: 1 });
    engine.submit(requestOf('a', PROMPT, { stop: { ...long, maxTokens: 4 } }));
    await engine.step();
    engine.submit(requestOf('b', PROMPT, { stop: { ...long, maxTokens: 3 } }));
    await engine.runUntilIdle();
    const kinds = runner.log.map((line) => line.split(' ')[0]);
    expect(kinds.slice(0, 5)).toEqual(['prefill', 'decode', 'decode', 'decode', 'prefill']);
    expect(kinds[5]).toBe('verify');

    const two = setUp({ proposer: new ScriptedProposer(() => [1, 2, 3]) });
    two.engine.submit(requestOf('r', PROMPT, { choices: 2 }));
    await two.engine.runUntilIdle();
    expect(two.runner.log.filter((line) => line.startsWith('verify'))).toEqual([]);
  });

  it('proposes what the constraint leaves no choice in', async () => {
    const forced = [[7], [8], [9], [10], [1, 2, 3], [11], [12], [13]];
    const constraints = () => new ScriptedConstraints(VOCABULARY, forced);
    const request = requestOf('r', PROMPT, { constraint: { type: 'json_object' }, stop: { ...long, tokenIds: [30] } });
    const plain = (await plainAnswer(request, { constraints: constraints() })).answer('r');
    const { runner, engine, collected } = setUp({ constraints: constraints(), proposer: new LikelyTokens(4) });
    engine.submit(request);
    await engine.runUntilIdle();
    expect(collected.answer('r')).toEqual(plain);
    // The first by the prompt; one is decoded, which shows what that takes; two are left without a choice. More hangs on times.
    expect(runner.log.slice(1, 3)).toEqual(['decode rows=1', 'verify slot=0 past=6 tokens=3']);
    const { proposedTokensTotal, acceptedTokensTotal } = engine.stats();
    expect(proposedTokensTotal).toBeGreaterThanOrEqual(2);
    expect(acceptedTokensTotal).toBe(proposedTokensTotal);
  });

  it('needs a runner that can', async () => {
    const proposer = new ScriptedProposer(() => [1]);
    const { engine } = setUp({ proposer }, { verifyTokens: 0 });
    engine.submit(requestOf('r', PROMPT));
    await engine.runUntilIdle();
    expect(engine.stats().verifyRunsTotal).toBe(0);
  });

  it('computes what a resumed answer has already as ever, and verifies behind it', async () => {
    const request = requestOf('r', PROMPT, { stop: long });
    const { tokenIds } = (await plainAnswer(request)).answer('r');
    const runner = new HistoryModelRunner({ vocabularySize: VOCABULARY, verifyTokens: 5 });
    const tokenTable = numberedTokenTable(VOCABULARY);
    const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8, proposer: guesses(tokenIds) });
    const resumed: number[] = [];
    engine.onStep(({ deltas }) => resumed.push(...deltas.flatMap((delta) => delta.tokenIds)));
    engine.submit({ ...request, resume: [{ tokenIds: tokenIds.slice(0, 6), finished: false }] });
    await engine.runUntilIdle();
    expect(resumed).toEqual(tokenIds.slice(6));
    const kinds = runner.log.map((line) => line.split(' ')[0]);
    expect(kinds.slice(0, 7)).toEqual(['prefill', 'decode', 'decode', 'decode', 'decode', 'decode', 'verify']);
  });

  it('ends with a request that is cancelled during the run, and with one whose run fails', async () => {
    const { runner, engine, collected } = setUp({ proposer: new ScriptedProposer(() => [1, 2, 3]) });
    runner.afterRun = (kind) => {
      if (kind === 'verify') engine.cancel('r', 1);
    };
    engine.submit(requestOf('r', PROMPT));
    await engine.runUntilIdle();
    expect(collected.answer('r').tokenIds).toHaveLength(1);
    expect(collected.answer('r').finish?.reason).toBe('cancelled');
    expect(engine.stats()).toMatchObject({ running: 0, freeSlots: 4, acceptedTokensTotal: 0 });

    runner.afterRun = () => {};
    engine.submit(requestOf('failing', PROMPT));
    await engine.step();
    runner.failNext = new Error('out of luck');
    await engine.runUntilIdle();
    expect(collected.failures.get('failing')?.message).toMatch('computing a token failed: out of luck');
    engine.submit(requestOf('next', PROMPT));
    await engine.runUntilIdle();
    expect(collected.answer('next')).toMatchObject((await plainAnswer(requestOf('next', PROMPT))).answer('next'));
  });

  it('fails a request alone whose logits are of no use, in the middle of what is verified', async () => {
    const { runner, engine, collected } = setUp();
    const request = requestOf('r', PROMPT, { stop: long });
    engine.submit(request);
    await engine.runUntilIdle();
    const { tokenIds } = collected.answer('r');
    const spoiled = setUp({ proposer: guesses(tokenIds) });
    spoiled.runner.afterRun = (kind) => {
      if (kind === 'verify') spoiled.runner.logits.fill(Number.NaN, 2 * VOCABULARY, 3 * VOCABULARY);
    };
    spoiled.engine.submit(request);
    await spoiled.engine.runUntilIdle();
    expect(spoiled.collected.answer('r').tokenIds).toEqual(tokenIds.slice(0, 3));
    expect(spoiled.collected.failures.get('r')?.message).toMatch('no usable logits for token 3');
    expect(runner.closed).toBe(false);
  });

  it('gives the tokens, text, ends and log probabilities that there are without, whatever is proposed', async () => {
    const drawn = fc.record({
      proposals: fc.array(fc.array(fc.nat(VOCABULARY - 1), { maxLength: 4 }), { minLength: 1, maxLength: 7 }),
      right: fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
      sampling: fc.record({
        temperature: fc.constantFrom(0, 0.8, 1.5),
        seed: fc.nat(),
        topK: fc.constantFrom(0, 4),
        frequencyPenalty: fc.constantFrom(0, 0.6),
        repetitionPenalty: fc.constantFrom(1, 1.2),
      }),
      stop: fc.record({
        tokenIds: fc.array(fc.nat(VOCABULARY - 1), { maxLength: 2 }),
        strings: fc.array(fc.constantFrom('<3><', '7>', '<1', '><2'), { maxLength: 2 }),
        maxTokens: fc.integer({ min: 1, max: 40 }),
      }),
      choices: fc.constantFrom(1, 1, 1, 2),
      topLogprobs: fc.constantFrom(null, 0, 2),
      whole: fc.boolean(),
      script: fc.option(
        fc.array(fc.uniqueArray(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 6 }), {
          minLength: 1,
          maxLength: 12,
        }),
      ),
    });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(drawn, async ({ proposals, right, sampling, script, ...rest }) => {
        const request = requestOf('r', PROMPT, {
          ...rest,
          sampling: { ...GREEDY, ...sampling },
          constraint: script === null ? null : { type: 'json_object' },
        });
        const constraints = () => (script === null ? {} : { constraints: new ScriptedConstraints(VOCABULARY, script) });
        const logprobsOf = (collected: CollectedAnswers) =>
          [0, 1].map((choice) =>
            collected.outputs.flatMap(({ deltas }) =>
              deltas.filter((delta) => delta.choice === choice).flatMap(({ logprobs }) => logprobs),
            ),
          );
        const expected = await plainAnswer({ ...request, whole: false }, constraints());
        const proposer = new ScriptedProposer(({ completionTokens, choice }) => {
          const next = expected.answer('r', choice).tokenIds.slice(completionTokens);
          const wrong = proposals[completionTokens % proposals.length] ?? [];
          return [...next.slice(0, right[completionTokens % right.length]), ...wrong];
        });
        const { engine, collected } = setUp({ proposer, ...constraints() });
        engine.submit(request);
        await engine.runUntilIdle();
        for (let choice = 0; choice < request.choices; choice++)
          expect(collected.answer('r', choice)).toEqual(expected.answer('r', choice));
        expect(logprobsOf(collected)).toEqual(logprobsOf(expected));
        expect([...collected.failures]).toEqual([...expected.failures]);
        accepted += engine.stats().acceptedTokensTotal;
      }),
      { numRuns: 300 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});

describe('LikelyTokens', () => {
  it('finds an answer that repeats its prompt, and learns at no cost that another does not', async () => {
    const proposer = new LikelyTokens(8);
    const told: number[] = [];
    /** A model that repeats what it was given, or says something else. */
    const { runner, engine } = setUp(
      {
        proposer: {
          propose: (sequence, most) => proposer.propose(sequence, most),
          decoded: () => proposer.decoded(8),
          verified: (tokens, past) => {
            told.push(tokens);
            proposer.verified(tokens, past, 7 + tokens);
          },
        },
      },
      { verifyTokens: 9, slotTokens: 256 },
    );
    const text = Array.from({ length: 60 }, (_, i) => (i * i + 3 * i) % 31);
    let state = 5;
    const other = Array.from({ length: 60 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >>> 16) % 31;
    });
    const answers = { echo: text, other };
    let answer: readonly number[] = [];
    let at = 0;
    const write = (row: number, position: number) => {
      runner.logits.fill(0, row * VOCABULARY, (row + 1) * VOCABULARY);
      runner.logits[row * VOCABULARY + (answer[position] ?? 31)] = 1;
    };
    runner.afterRun = (kind, rows) => {
      if (kind !== 'verify') write(0, at);
      else for (let row = 0; row < rows; row++) write(row, at + row);
    };
    engine.onStep(({ deltas }) => {
      for (const { firstIndex, tokenIds } of deltas) at = firstIndex + tokenIds.length;
    });
    const runsFor = async (name: keyof typeof answers) => {
      answer = answers[name];
      at = 0;
      const before = engine.stats();
      engine.submit(requestOf(name, text, { stop: { ...long, maxTokens: 60 } }));
      await engine.runUntilIdle();
      const { decodeRunsTotal, verifyRunsTotal } = engine.stats();
      return [decodeRunsTotal - before.decodeRunsTotal, verifyRunsTotal - before.verifyRunsTotal] as const;
    };
    const [echoDecodes, echoVerifications] = await runsFor('echo');
    expect(echoDecodes + echoVerifications).toBeLessThan(20);
    const [decodes, verifications] = await runsFor('other');
    expect(decodes).toBeGreaterThan(40);
    expect(verifications).toBeLessThan(10);
    expect(Math.max(...told)).toBe(9);
  });
});

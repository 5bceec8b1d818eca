import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenLimits } from '#contracts';
import { Engine } from '../engine.ts';
import { HistoryModelRunner } from '../testing/history-model-runner.ts';
import { requestOf } from '../testing/requests.ts';
import { ScriptedConstraints } from '../testing/scripted-constraints.ts';
import { numberedTokenTable } from '../testing/token-tables.ts';
import { LimitedTokens } from './limited-tokens.ts';

const VOCABULARY = 40;
const PROMPT = [3, 1, 4, 1, 5];
const stop = { tokenIds: [], strings: [], maxTokens: 20 };
const held = { type: 'json_object' } as const;

async function answer(changes: Parameters<typeof requestOf>[2], constraints?: ScriptedConstraints) {
  const runner = new HistoryModelRunner({ vocabularySize: VOCABULARY });
  const tokenTable = numberedTokenTable(VOCABULARY);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8, ...(constraints && { constraints }) });
  const said = { tokenIds: [] as number[], reason: '', problem: '' };
  engine.onStep(({ deltas, finished, failed }) => {
    said.tokenIds.push(...deltas.flatMap(({ tokenIds }) => tokenIds));
    said.reason += finished.map(({ reason }) => reason).join('');
    said.problem += failed.map(({ code, message }) => `${code}: ${message}`).join('');
  });
  engine.submit(requestOf('r', PROMPT, { stop, ...changes }));
  await engine.runUntilIdle();
  return said;
}

function leftBy(limits: TokenLimits, tokenIds: readonly number[] = [], size = VOCABULARY): number[] {
  const limited = new LimitedTokens(null, limits, size);
  for (const token of tokenIds) limited.accept(token);
  const mask = limited.allowedTokens();
  return Array.from({ length: 64 }, (_, token) => token).filter(
    (token) => ((mask[token >>> 5] ?? 0) >>> (token & 31)) & 1,
  );
}

describe('an answer some tokens of which may not come', () => {
  it('has only those that are allowed, and ends by one of them alone', async () => {
    const allowed = [2, 17, 39];
    const { tokenIds, reason } = await answer({ tokenLimits: { allowed }, stop: { ...stop, tokenIds: [5, 6] } });
    expect(tokenIds.filter((token) => !allowed.includes(token))).toEqual([]);
    expect([tokenIds.length, reason]).toEqual([20, 'length']);
    const ending = await answer({ tokenLimits: { allowed: [39] }, stop: { ...stop, tokenIds: [39] } });
    expect([ending.tokenIds, ending.reason]).toEqual([[39], 'stop']);
  });

  it('has no sequence that is banned, and is what it would have been before the first of them', async () => {
    const free = await answer({});
    const [one, two, three] = free.tokenIds.slice(3, 6) as [number, number, number];
    const { tokenIds } = await answer({ tokenLimits: { banned: [[one, two, three]] } });
    expect(tokenIds.slice(0, 5)).toEqual(free.tokenIds.slice(0, 5));
    expect(tokenIds[5]).not.toBe(three);
    const single = await answer({ tokenLimits: { banned: [[one]] } });
    expect(single.tokenIds).not.toContain(one);
  });

  it('bans nothing but the last token of a sequence, behind all the others', () => {
    const tokens = fc.array(fc.nat(4), { maxLength: 12 });
    const sequences = fc.array(fc.array(fc.nat(4), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sequences, tokens, fc.integer({ min: 31, max: 33 }), (banned, said, size) => {
        const expected = Array.from({ length: size }, (_, token) => token).filter((token) => {
          const text = `,${[...said, token].join()}`;
          return !banned.some((sequence) => text.endsWith(`,${sequence.join()}`));
        });
        expect(leftBy({ banned }, said, size)).toEqual(expected);
      }),
    );
  });

  it('keeps to its form besides, and can not be where nothing is left', async () => {
    const constraints = new ScriptedConstraints(VOCABULARY, [[2, 3], [5, 6], [7]]);
    const tokenLimits = { banned: [[2], [3, 5]] };
    const { tokenIds, reason } = await answer(
      { constraint: held, tokenLimits, stop: { ...stop, tokenIds: [39] } },
      constraints,
    );
    expect([tokenIds, reason]).toEqual([[3, 6, 7, 39], 'stop']);
    const none = await answer({ constraint: held, tokenLimits: { banned: [[2], [3]] } }, constraints);
    expect(none.problem).toMatch(/^invalid_request: no token .* leave fewer tokens out/);
    expect(constraints.disposed).toBe(constraints.made);
  });

  it('has a least number of tokens besides', async () => {
    const tokenLimits = { allowed: [2, 39] };
    const { tokenIds } = await answer({ tokenLimits, stop: { ...stop, minTokens: 4, tokenIds: [39] } });
    expect(tokenIds.slice(0, 4)).toEqual([2, 2, 2, 2]);
  });

  it('goes on from where an earlier attempt left it', async () => {
    const free = await answer({});
    const tokenLimits = { banned: [free.tokenIds.slice(3, 6), free.tokenIds.slice(8, 9)] };
    const whole = await answer({ tokenLimits });
    for (const length of [1, 5, 9]) {
      const delivered = whole.tokenIds.slice(0, length);
      const resumed = await answer({ tokenLimits, resume: [{ tokenIds: delivered, finished: false }] });
      expect([...delivered, ...resumed.tokenIds]).toEqual(whole.tokenIds);
    }
  });

  it('is refused for tokens that the model does not have', async () => {
    expect((await answer({ tokenLimits: { allowed: [VOCABULARY] } })).problem).toContain(`token id ${VOCABULARY}`);
    expect((await answer({ tokenLimits: { banned: [[1, 99]] } })).problem).toContain('token id 99');
  });
});

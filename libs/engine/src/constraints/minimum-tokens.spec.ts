import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { HistoryModelRunner } from '../testing/history-model-runner.ts';
import { requestOf } from '../testing/requests.ts';
import { ScriptedConstraints } from '../testing/scripted-constraints.ts';
import { numberedTokenTable } from '../testing/token-tables.ts';
import { MinimumTokens } from './minimum-tokens.ts';

const VOCABULARY = 40;
const PROMPT = [3, 1, 4, 1, 5];

async function answer(changes: Parameters<typeof requestOf>[2], constraints?: ScriptedConstraints) {
  const runner = new HistoryModelRunner({ vocabularySize: VOCABULARY });
  const tokenTable = numberedTokenTable(VOCABULARY);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8, ...(constraints && { constraints }) });
  const said = { tokenIds: [] as number[], text: '', reason: '' };
  engine.onStep(({ deltas, finished }) => {
    said.tokenIds.push(...deltas.flatMap(({ tokenIds }) => tokenIds));
    said.text += deltas.map(({ text }) => text).join('');
    said.reason += finished.map(({ reason }) => reason).join('');
  });
  engine.submit(requestOf('r', PROMPT, changes));
  await engine.runUntilIdle();
  return said;
}

const stop = { tokenIds: [], strings: [], maxTokens: 20 };

describe('an answer with a least number of tokens', () => {
  it('does not end by a token before, and does by the first one behind', async () => {
    const free = await answer({ stop });
    const [first = 0] = free.tokenIds;
    const ends = await answer({ stop: { ...stop, tokenIds: [first] } });
    expect(ends.tokenIds).toEqual([first]);
    for (const minTokens of [1, 4]) {
      const all = Array.from({ length: VOCABULARY }, (_, token) => token);
      const others = await answer({ stop: { ...stop, minTokens, tokenIds: [first] } });
      expect(others.tokenIds.slice(0, minTokens)).not.toContain(first);
      // Whatever comes behind ends it.
      const any = await answer({ stop: { ...stop, minTokens, tokenIds: all.slice(1) } });
      expect(any.tokenIds.slice(0, minTokens)).toEqual(new Array(minTokens).fill(0));
      expect(any.tokenIds.length === minTokens + 1 || any.tokenIds.every((token) => token === 0)).toBe(true);
    }
  });

  it('is not ended by a stop string that begins before', async () => {
    const { text, tokenIds } = await answer({ stop });
    const string = text.slice(0, 2);
    expect((await answer({ stop: { ...stop, strings: [string] } })).text).toBe('');
    const longer = await answer({ stop: { ...stop, strings: [string], minTokens: 5 } });
    expect(longer.tokenIds.slice(0, 6)).toEqual(tokenIds.slice(0, 6));
    expect(longer.text.startsWith(string)).toBe(true);
  });

  it('goes on from where an earlier attempt left it', async () => {
    const request = { stop: { ...stop, minTokens: 6, tokenIds: [7, 9, 11, 13] } };
    const whole = await answer(request);
    const delivered = whole.tokenIds.slice(0, 3);
    const resumed = await answer({ ...request, resume: [{ tokenIds: delivered, finished: false }] });
    expect([...delivered, ...resumed.tokenIds]).toEqual(whole.tokenIds);
  });

  it('ends with a document that is complete all the same', async () => {
    const constraints = new ScriptedConstraints(VOCABULARY, [[2], [5, 6]]);
    const held = { type: 'json_object' } as const;
    const { tokenIds, reason } = await answer(
      { constraint: held, stop: { ...stop, minTokens: 10, tokenIds: [39] } },
      constraints,
    );
    expect([tokenIds.length, tokenIds.at(-1), reason]).toEqual([3, 39, 'stop']);
  });

  it('allows no token beyond the vocabulary', () => {
    for (const size of [31, 32, 33]) {
      const mask = new MinimumTokens(null, 2, [0, 500], size).allowedTokens();
      const allowed = Array.from({ length: 64 }, (_, token) => token).filter(
        (token) => ((mask[token >>> 5] ?? 0) >>> (token & 31)) & 1,
      );
      expect(allowed).toEqual(Array.from({ length: size - 1 }, (_, index) => index + 1));
    }
  });
});

import { describe, expect, it } from 'vitest';
import { Engine } from './engine.ts';
import { CollectedAnswers } from './testing/collected-answers.ts';
import { HistoryModelRunner } from './testing/history-model-runner.ts';
import { requestOf } from './testing/requests.ts';
import { numberedTokenTable } from './testing/token-tables.ts';
import { warmUpEngine } from './warm-up-engine.ts';

const VOCABULARY = 24;
const tokenTable = numberedTokenTable(VOCABULARY);
const sizes = { slots: 3, slotTokens: 64, vocabularySize: VOCABULARY, blocks: 8 };

async function answerOn(runner: HistoryModelRunner): Promise<unknown> {
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 8 });
  const answers = new CollectedAnswers(engine);
  engine.submit(requestOf('r', [1, 2, 3]));
  await engine.runUntilIdle();
  return answers.answer('r');
}

describe('warming an engine up', () => {
  it('computes prompts and tokens of several rows, and gives their memory back', async () => {
    const runner = new HistoryModelRunner(sizes);
    await warmUpEngine({ runner, tokenTable, prefillChunkTokens: 8 });
    expect(runner.log.some((call) => call.startsWith('prefill'))).toBe(true);
    expect(runner.log.some((call) => call.startsWith('decode') && call.includes('rows=2'))).toBe(true);
    expect(runner.residentTokens ?? 0).toBe(0);
  });

  it.each([sizes, { ...sizes, hiddenLogits: { count: 1 } }])(
    'leaves nothing that an engine would count, or answer otherwise for',
    async (options) => {
      const [runner, cold] = [new HistoryModelRunner(options), new HistoryModelRunner(options)];
      await warmUpEngine({ runner, tokenTable, prefillChunkTokens: 8 });
      if (runner.deviceLogits !== null) expect(runner.deviceLogits.wholeRows).toBeGreaterThan(0);
      const engineOn = (of: HistoryModelRunner) => new Engine({ runner: of, tokenTable, prefillChunkTokens: 8 });
      expect(engineOn(runner).stats()).toEqual(engineOn(cold).stats());
      expect(await answerOn(runner)).toEqual(await answerOn(cold));
    },
  );

  it.each([
    { ...sizes, slots: 1 },
    { ...sizes, slotTokens: 3, blocks: 0 },
    { ...sizes, vocabularySize: 2 },
  ])('takes any model: $slots slots of $slotTokens tokens', async (few) => {
    const runner = new HistoryModelRunner(few);
    await warmUpEngine({ runner, tokenTable: numberedTokenTable(few.vocabularySize), prefillChunkTokens: 8 });
    expect(runner.log.length).toBeGreaterThan(0);
  });
});

import { fileURLToPath } from 'node:url';
import { median } from '../report/statistics.ts';
import { figureRow, limitRow, type Row, ratioRow } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { PromptTiming } from '../sides/prefix-chat.ts';

const SHARED_TOKENS = 1_024;
const OWN_TOKENS = 24;
const TURNS = 4;
const ANSWER_TOKENS = 80;

/** The time to the first token of prompts whose beginning was computed before, and what a chat's turns compute anew. */
export async function prefixSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const rounds = quick ? 3 : 9;
  const modelFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const settings = { modelFolder, slots: 4, slotTokens: 2_048 };
  await using side = await Side.start('prefix-chat.ts', { ...settings, prefixCacheBytes: 512 << 20 });

  const [cold, hit]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const task = { kind: 'shared', sharedTokens: SHARED_TOKENS, ownTokens: OWN_TOKENS, prompts: 3 };
    const [first, ...later] = await side.measure<PromptTiming[]>(task);
    // Round 0 warms caches and pages up.
    if (round === 0 || first === undefined) continue;
    cold.push(first.ttftMs);
    hit.push(median(later.map(({ ttftMs }) => ttftMs)));
  }

  const [excess, again]: [number[], number[]] = [[], []];
  const last: PromptTiming[] = [];
  for (let chat = 0; chat < rounds; chat++) {
    const timings = await side.measure<PromptTiming[]>({ kind: 'chat', turns: TURNS, answerTokens: ANSWER_TOKENS });
    for (const [turn, { promptTokens, cachedTokens }] of timings.entries()) {
      const before = timings[turn - 1];
      if (before === undefined) continue;
      // The answer before, the new message, and what the template puts around them.
      const added = promptTokens - before.promptTokens;
      const computed = promptTokens - cachedTokens;
      excess.push((Math.max(0, computed - added) / added) * 100);
      // All but its last token was computed as it was said; its text may be other tokens when a client sends it back.
      const said = ANSWER_TOKENS - 1;
      again.push((Math.max(0, computed - (added - said)) / said) * 100);
    }
    last.push(...timings.slice(-1));
  }
  const name = `time to first token, ${SHARED_TOKENS} tokens shared and ${OWN_TOKENS} own`;
  const turn = `${TURNS}-turn chat, tokens computed beyond the new message and the answer before it`;
  return [
    ratioRow(name, median(hit), 'ms', 'the first such prompt', median(cold), 0.1),
    limitRow(`${turn}, worst turn`, Math.max(...excess), '%', 15),
    limitRow(`${turn}, median turn`, median(excess), '%', 15),
    figureRow(`${TURNS}-turn chat, of the answer before computed again, median turn`, median(again), '%'),
    figureRow(`${TURNS}-turn chat, of the answer before computed again, worst turn`, Math.max(...again), '%'),
    ratioRow(
      `turn ${TURNS}: prompt tokens found`,
      median(last.map(({ cachedTokens }) => cachedTokens)),
      'tokens',
      'its prompt',
      median(last.map(({ promptTokens }) => promptTokens)),
    ),
  ];
}

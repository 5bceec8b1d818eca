import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { type ChatTurn, chatTurns } from '../clients/chat-turns.ts';
import { median, quantile } from '../report/statistics.ts';
import { type Row, ratioRow } from '../report/suite-report.ts';

const MODEL = 'smollm2-135m-instruct';
const MEMBERS = 2;
const AT_ONCE = 3;
const TURNS = 4;
const ANSWER_TOKENS = 32;
const ROUNDS = { full: 5, quick: 1 };
const CHATS_PER_ROUND = { full: 12, quick: 3 };
const WORDS = 'the river runs to a small town where people ask about bread, boats and the weather of last winter'.split(
  ' ',
);

const text = (seed: number, words: number) =>
  Array.from(
    { length: words },
    (_, index) => WORDS[(seed * 31 + index * (1 + (seed % 7)) + index * index) % WORDS.length],
  ).join(' ');

/**
 * Chats on a cluster of two workers behind two API replicas, whose turns go to the replicas in turn: where offers take them, against the
 * same cluster in which all go through the queue to whoever asks first. Both clusters are up, and the one that is not asked is idle.
 */
export async function routingSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL(`../../models/${MODEL}`, import.meta.url));
  const start = (offers: boolean) =>
    Cluster.start({
      modelFolder,
      ...{ apis: MEMBERS, workers: MEMBERS },
      worker: { MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: '2048', MILLRACE_THREADS: '1' },
      api: { MILLRACE_OFFERS: String(offers) },
    });
  await using offered = await start(true);
  await using queued = await start(false);
  const sides = { offered, queued };
  const turns: Record<keyof typeof sides, ChatTurn[]> = { offered: [], queued: [] };
  const rounds = quick ? ROUNDS.quick : ROUNDS.full;
  const chats = quick ? CHATS_PER_ROUND.quick : CHATS_PER_ROUND.full;
  // Round 0 warms.
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of ['offered', 'queued'] as const) {
      const told = await chatTurns({
        urls: sides[side].apis.map(({ url }) => url),
        key: TEST_KEY,
        model: MODEL,
        chats,
        atOnce: AT_ONCE,
        turns: TURNS,
        answerTokens: ANSWER_TOKENS,
        system: text(round, 90),
        asked: (chat, turn) => text(10_000 * round + 10 * chat + turn, 60),
      });
      if (round > 0) turns[side].push(...told);
    }
  }
  const later = (side: keyof typeof sides) => turns[side].filter(({ turn }) => turn > 0);
  const sumOf = (side: keyof typeof sides, tokens: (turn: ChatTurn) => number) =>
    later(side).reduce((sum, turn) => sum + tokens(turn), 0);
  const found = (side: keyof typeof sides) =>
    (100 * sumOf(side, ({ cachedTokens }) => cachedTokens)) / sumOf(side, ({ promptTokens }) => promptTokens);
  const ttft = (side: keyof typeof sides, of: (values: number[]) => number) =>
    of(later(side).map(({ ttftMs }) => ttftMs));
  const peer = 'all through the queue';
  const what = `${MEMBERS} workers, ${MEMBERS} replicas, ${AT_ONCE} chats at once, turns 2 to ${TURNS}`;
  return [
    ratioRow(`${what}: prompt tokens found`, found('offered'), '%', peer, found('queued')),
    ratioRow(`${what}: TTFT p50`, ttft('offered', median), 'ms', peer, ttft('queued', median)),
    ratioRow(
      `${what}: TTFT p90`,
      ttft('offered', (values) => quantile(values, 0.9)),
      'ms',
      peer,
      ttft('queued', (values) => quantile(values, 0.9)),
    ),
  ];
}

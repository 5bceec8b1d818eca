import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { type ChatTurn, chatTurns } from '../clients/chat-turns.ts';
import { median, quantile } from '../report/statistics.ts';
import { type Row, ratioRow } from '../report/suite-report.ts';

const MODEL = 'smollm2-135m-instruct';
const MEMBERS = 2;
/** Fewer than slots, so that hardly anybody waits; and so many that somebody always does. */
const AT_ONCE = [3, 24];
const TURNS = 4;
const ANSWER_TOKENS = 32;
const ROUNDS = { full: 5, quick: 1 };
/** For each that goes on at once. */
const CHATS_PER_ROUND = { full: 4, quick: 1 };
/** Of those that wait, which take longer. */
const MOST_CHATS = 24;
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
  const rounds = quick ? ROUNDS.quick : ROUNDS.full;
  const chatsPerRound = quick ? CHATS_PER_ROUND.quick : CHATS_PER_ROUND.full;
  const rows: Row[] = [];
  for (const atOnce of AT_ONCE) {
    const turns: Record<keyof typeof sides, ChatTurn[]> = { offered: [], queued: [] };
    const tookMs: Record<keyof typeof sides, number> = { offered: 0, queued: 0 };
    // Round 0 warms.
    for (let round = 0; round <= rounds; round += 1) {
      for (const side of ['offered', 'queued'] as const) {
        const begin = performance.now();
        const told = await chatTurns({
          urls: sides[side].apis.map(({ url }) => url),
          key: TEST_KEY,
          model: MODEL,
          chats: Math.min(MOST_CHATS, chatsPerRound * atOnce),
          atOnce,
          turns: TURNS,
          answerTokens: ANSWER_TOKENS,
          system: text(1_000 * atOnce + round, 90),
          asked: (chat, turn) => text(100_000 * atOnce + 10_000 * round + 10 * chat + turn, 60),
        });
        if (round === 0) continue;
        turns[side].push(...told);
        tookMs[side] += performance.now() - begin;
      }
    }
    rows.push(...rowsOf(atOnce, turns, tookMs));
  }
  return rows;
}

interface BySide<Value> {
  readonly offered: Value;
  readonly queued: Value;
}

function rowsOf(atOnce: number, turns: BySide<readonly ChatTurn[]>, tookMs: BySide<number>): Row[] {
  const what = `${MEMBERS} workers, ${MEMBERS} replicas, ${atOnce} chats at once, turns 2 to ${TURNS}`;
  const row = (figure: string, unit: string, of: (later: readonly ChatTurn[], side: keyof typeof turns) => number) => {
    const later = (side: keyof typeof turns) =>
      of(
        turns[side].filter(({ turn }) => turn > 0),
        side,
      );
    return ratioRow(`${what}: ${figure}`, later('offered'), unit, 'to whoever asks first', later('queued'));
  };
  const ttfts = (later: readonly ChatTurn[]) => later.map(({ ttftMs }) => ttftMs);
  const sumOf = (later: readonly ChatTurn[], tokens: (turn: ChatTurn) => number) =>
    later.reduce((sum, turn) => sum + tokens(turn), 0);
  return [
    row(
      'prompt tokens found',
      '%',
      (later) =>
        (100 * sumOf(later, ({ cachedTokens }) => cachedTokens)) / sumOf(later, ({ promptTokens }) => promptTokens),
    ),
    row('TTFT p50', 'ms', (later) => median(ttfts(later))),
    row('TTFT p90', 'ms', (later) => quantile(ttfts(later), 0.9)),
    row('requests answered', '/s', (_, side) => (1_000 * turns[side].length) / tookMs[side]),
  ];
}

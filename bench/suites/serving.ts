import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { peakMemoryRow } from '../report/peak-memory.ts';
import { median, quantile } from '../report/statistics.ts';
import { type Row, ratioRow } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { ServingGaps } from '../sides/serving-gaps.ts';

const PROMPT_TOKENS = 4_096;
const MIB = 1024 * 1024;

/** Chunks in parts with decode runs between them, as workers compute them unless told otherwise, and whole. */
const PARTS = [0, 1];
/** Of what has a target: within one round the machine's speed may change by as much as what is measured. */
const ROUNDS = 3;

/** Answers that run, and prompts that arrive at once. */
interface Point {
  readonly streams: number;
  readonly prompts: number;
}
const POINTS: readonly Point[] = [
  { streams: 1, prompts: 1 },
  { streams: 8, prompts: 1 },
  { streams: 8, prompts: 3 },
];
/** A shape of half a billion weights, where bench/peers has made it. */
const LARGER_POINTS: readonly Point[] = [
  { streams: 1, prompts: 1 },
  { streams: 8, prompts: 1 },
];

/** The time between tokens of running answers while prompts of 4,096 tokens are computed from their first to their last token, and peak memory. */
export async function servingSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const promptTokens = quick ? 1_024 : PROMPT_TOKENS;
  const rounds = quick ? 1 : ROUNDS;
  const rows = await measure(
    '',
    at('../../models/smollm2-135m-instruct'),
    POINTS,
    PARTS,
    promptTokens,
    quick ? 60 : 100,
    rounds,
  );
  const larger = at('../peers/models/random-0.5b');
  if (!existsSync(larger)) return rows;
  const ofLarger = await measure(
    '0.5B shape: ',
    larger,
    LARGER_POINTS,
    [0],
    quick ? 512 : PROMPT_TOKENS,
    quick ? 30 : 60,
    rounds,
  );
  return [...rows, ...ofLarger];
}

async function measure(
  model: string,
  modelFolder: string,
  points: readonly Point[],
  parts: readonly number[],
  promptTokens: number,
  steps: number,
  heldRounds: number,
): Promise<Row[]> {
  const size = { slots: 33, slotTokens: 8_192, kvTokens: 32 * 512 + 8_192, prefixCacheBytes: 128 * MIB };
  await using sides = new AsyncDisposableStack();
  const forms: { name: string; held: boolean; side: Side; last?: ServingGaps }[] = [];
  for (const prefillParts of parts) {
    const settings = { modelFolder, ...size, decodeStretch: 3, prefillParts };
    const name = prefillParts === 1 ? ', whole chunks' : '';
    forms.push({ name, held: prefillParts !== 1, side: sides.use(await Side.start('serving-gaps.ts', settings)) });
  }
  const rows: Row[] = [];
  for (const { streams, prompts } of points) {
    for (const form of forms) {
      if (prompts > 1 && !form.held) continue;
      const rounds: ServingGaps[] = [];
      for (let round = 0; round < (form.held ? heldRounds : 1); round++)
        rounds.push(await form.side.measure<ServingGaps>({ streams, steps, prompts, promptTokens }));
      form.last = rounds.at(-1);
      const title = `${model}${streams} ${streams === 1 ? 'stream' : 'streams'}${form.name}`;
      rows.push(...rowsOf(rounds, title, prompts, promptTokens, form.held));
    }
  }
  for (const { name, last } of forms) {
    if (last === undefined) continue;
    rows.push(peakMemoryRow(`${model}peak memory of the engine process${name}`, last));
  }
  return rows;
}

/** Of all rounds together. */
function rowsOf(
  rounds: readonly ServingGaps[],
  title: string,
  prompts: number,
  promptTokens: number,
  held: boolean,
): Row[] {
  const aloneMs = rounds.flatMap((round) => round.aloneMs);
  const besideMs = rounds.flatMap((round) => round.besideMs);
  const lastQuarterMs = rounds.flatMap((round) => round.lastQuarterMs);
  const rate = median(rounds.map(({ prefillTokensPerSecond }) => prefillTokensPerSecond));
  const arrive = prompts === 1 ? 'prompts' : `${prompts} prompts at once`;
  const during = `${title}, while ${arrive} of ${promptTokens} tokens arrive (${rate.toFixed(0)} prompt tokens/s)`;
  const end = `${title}, during the last ${(prompts * promptTokens) / 4} tokens of ${prompts === 1 ? 'a prompt' : 'the prompts'}`;
  const p99 = (gaps: readonly number[]) => quantile(gaps, 0.99);
  return [
    ratioRow(`inter-token p99, ${during}`, p99(besideMs), 'ms', 'without them', p99(aloneMs), held ? 3 : undefined),
    ratioRow(`inter-token median, ${during}`, median(besideMs), 'ms', 'without them', median(aloneMs)),
    ratioRow(`inter-token median, ${end}`, median(lastQuarterMs), 'ms', 'without them', median(aloneMs)),
  ];
}

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median, relativeSpread } from '../report/statistics.ts';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { BareLoopTask } from '../sides/bare-loop-task.ts';
import type { BothTimes } from '../sides/engine-decode.ts';

const SHORT = 128;
const AT_LEAST = 0.95;
/** Where the engine has to keep up with the bare loop. */
const HELD = [1, 8, 32];

interface Point {
  readonly task: BareLoopTask;
  readonly rounds: number;
  /** Also in onnxruntime-node's `session.run`. */
  readonly session?: boolean;
  readonly atLeast?: number;
}

const decode = (rows: number, pastTokens: number, rounds: number, steps = rows === 1 ? 48 : 24): Point => {
  const held = pastTokens === SHORT && HELD.includes(rows);
  const task = { kind: 'decode', rows, pastTokens, steps } as const;
  return held ? { task, rounds, session: true, atLeast: AT_LEAST } : { task, rounds };
};
/** As clients ask that say nothing of it, and with the cut that many set. */
const DRAWN = [
  { temperature: 1, topP: 1 },
  { temperature: 0.7, topP: 0.95 },
] as const;
const drawn = (rows: number, rounds: number): Point[] =>
  DRAWN.map((how) => ({ task: { kind: 'decode', rows, pastTokens: SHORT, steps: 24, drawn: how }, rounds }));
const prefill = (prompts: number, promptTokens: number, rounds: number): Point => ({
  task: { kind: 'prefill', prompts, promptTokens },
  rounds,
});

/** Batches at a short context, then contexts at few batches: what fits into some gigabytes and some minutes. */
const POINTS: readonly Point[] = [
  ...HELD.map((rows) => decode(rows, SHORT, 9)),
  ...[2, 4, 16].map((rows) => decode(rows, SHORT, 5)),
  ...[1, 8, 32].flatMap((rows) => drawn(rows, 5)),
  ...HELD.map((rows) => decode(rows, 1_024, 4, 12)),
  ...[1, 8].map((rows) => decode(rows, 4_096, 3, 12)),
  ...[1, 4].map((rows) => decode(rows, 8_064, 3, 12)),
  ...[1, 2, 4, 8, 16, 32].map((prompts) => prefill(prompts, SHORT, prompts > 8 ? 2 : 4)),
  prefill(1, 1_024, 3),
  prefill(1, 4_096, 1),
  prefill(1, 8_064, 1),
];
const QUICK_POINTS: readonly Point[] = [
  ...HELD.map((rows) => decode(rows, SHORT, 4)),
  decode(8, 1_024, 2, 12),
  ...drawn(8, 2),
  ...[1, 8].map((prompts) => prefill(prompts, SHORT, 2)),
];
const LARGER_POINTS: readonly Point[] = [
  ...HELD.map((rows) => decode(rows, SHORT, 5, 12)),
  ...drawn(8, 3),
  prefill(1, 512, 2),
];

/** Tokens/s of the whole engine against the bare run loop on its runner and onnxruntime-node's `session.run`, by batch and by context. */
export async function engineSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const points = quick ? QUICK_POINTS : POINTS;
  const rows = await compare('', at('../../models/smollm2-135m-instruct'), points, quick ? 1_280 : 8_192);
  if (quick) return rows;
  // Shapes with random weights that bench/peers makes; nobody has to have them.
  for (const shape of ['0.5b', '1.5b']) {
    const modelFolder = at(`../peers/models/random-${shape}`);
    if (existsSync(modelFolder)) rows.push(...(await compare(`${shape} shape: `, modelFolder, LARGER_POINTS, 1_024)));
  }
  return rows;
}

async function compare(model: string, modelFolder: string, points: readonly Point[], slotTokens: number) {
  const shared = { modelFile: `${modelFolder}/model.onnx`, slots: 32, slotTokens };
  await using engine = await Side.start('engine-decode.ts', { ...shared, modelFolder });
  const rows: Row[] = [];
  const measure = async (point: Point, session?: Side): Promise<Rates> => {
    const { task } = point;
    const tokens = task.kind === 'decode' ? task.rows : task.prompts * task.promptTokens;
    const rateOf = (ms: readonly number[]): number => (tokens / median(ms)) * 1_000;
    const rates: Rates = { engine: [], bare: [], session: [] };
    // Round 0 warms caches and pages up; a prompt of seconds needs no such round.
    for (let round = point.rounds === 1 ? 1 : 0; round <= point.rounds; round++) {
      const { engineMs, bareMs } = await engine.measure<BothTimes>({ ...task });
      const sessionMs = await session?.measure<number[]>({ ...task });
      if (round === 0) continue;
      rates.engine.push(rateOf(engineMs));
      rates.bare.push(rateOf(bareMs));
      if (sessionMs !== undefined) rates.session.push(rateOf(sessionMs));
    }
    return rates;
  };
  const add = (point: Point, { engine: ours, bare, session }: Rates): void => {
    const spread = Math.max(...[ours, bare, session].filter(({ length }) => length > 0).map(relativeSpread));
    const name = `${model}${titleOf(point.task)} (spread ±${(spread * 100).toFixed(0)} %)`;
    rows.push(pairedRatioRow(name, ours, 'tokens/s', 'bare run loop, same runner', bare, point.atLeast));
    if (session.length > 0) rows.push(pairedRatioRow(name, ours, 'tokens/s', 'onnxruntime-node session.run', session));
  };
  const inSession = points.filter(({ session }) => session === true);
  if (inSession.length > 0) {
    // It copies the whole cache in every step, so it gets no larger one than it needs.
    await using session = await Side.start('bare-loop.ts', { ...shared, slotTokens: 512, loop: 'session-run' });
    for (const point of inSession) add(point, await measure(point, session));
  }
  for (const point of points) if (point.session !== true) add(point, await measure(point));
  return rows;
}

/** Tokens/s, round by round. */
type Rates = Record<'engine' | 'bare' | 'session', number[]>;

function titleOf(task: BareLoopTask): string {
  if (task.kind === 'decode') {
    const title = `decode, batch ${task.rows}, context ${task.pastTokens}`;
    return task.drawn === undefined
      ? title
      : `${title}, temperature ${task.drawn.temperature}, top-p ${task.drawn.topP}`;
  }
  return `prefill, ${task.prompts} ${task.prompts === 1 ? 'prompt' : 'prompts'} of ${task.promptTokens}`;
}

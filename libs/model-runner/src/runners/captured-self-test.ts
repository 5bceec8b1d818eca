import type { RowCandidates, RowWish } from '#contracts';
import type { DecodeRuns } from './decode-runs.ts';
import type { InPlaceRunner } from './in-place-runner.ts';

type TestedRunner = Pick<
  InPlaceRunner,
  'prefill' | 'decodeBy' | 'decodeWays' | 'deviceLogits' | 'shape' | 'slotTokens'
>;

/** Long enough for attention to plan several blocks, and to split them. */
const PROMPT_TOKENS = 150;
/** For each number of rows: one that captures, and replays with other tokens and lengths. */
const TURNS = 3;
/** ONNX Runtime makes two of its own before it captures, which was too few with an arena that grows by what is asked for (decision 0041). */
const WARMING_RUNS = 2;
/** Of a row, likeliest first. */
const COMPARED_TOKENS = 16;
/** The same kernels run on the same values, but may be planned for another longest row. Inputs of another step move logits by whole units. */
const TOLERANCE = { float32: 1e-2, float16: 0.3 } as const;

/**
 * Compares decode runs that are captured and replayed with plain ones, for every number of rows that is captured: two steps one behind the other,
 * so that the second reads what the first one wrote, at three sets of tokens and of lengths. The captured ones come first: what plain runs
 * left, in the logits or in the cache, is of other tokens, so a replay that does nothing or reads old inputs differs; and fewer rows come before more,
 * so does one of another number of rows. All captures are made here, none later. Writes to the first slots.
 * @returns what differs, or null
 */
export async function capturedProblem(runner: TestedRunner, type: keyof typeof TOLERANCE): Promise<string | null> {
  const { deviceLogits, shape, slotTokens } = runner;
  const { captured, plain: uncaptured } = runner.decodeWays;
  if (captured === null || deviceLogits === null) return null;
  const token = (i: number) => (i * 7919 + 11) % shape.vocabularySize;
  const promptTokens = Math.min(PROMPT_TOKENS, slotTokens);
  for (let row = 0; row < captured.rows; row++)
    await runner.prefill(
      row,
      Int32Array.from({ length: promptTokens }, (_, i) => token(i + 31 * row)),
      0,
    );

  /** Copies of what is selected behind each of two steps. */
  const candidates = async (runs: DecodeRuns, rows: number, turn: number): Promise<RowCandidates[][]> => {
    const pasts = Int32Array.from({ length: rows }, (_, row) => pastOf(row, turn, promptTokens));
    const steps: RowCandidates[][] = [];
    for (const step of [0, 1]) {
      const at = pasts.map((past) => Math.min(past + step, slotTokens - 1));
      const tokenIds = at.map((_, row) => token(7 * row + 13 * rows + 101 * turn + 211 * step));
      await runner.decodeBy(runs, rows, tokenIds, at);
      steps.push(deviceLogits.select(new Array<RowWish>(rows).fill(EVERYTHING)).map(copied));
    }
    return steps;
  };
  for (let rows = captured.rows; rows > 0; rows--)
    for (let run = 0; run < WARMING_RUNS; run++) await candidates(captured.warming, rows, TURNS);
  for (let rows = 1; rows <= captured.rows; rows++)
    for (let turn = 0; turn < TURNS; turn++) {
      const replayed = await candidates(captured.runs, rows, turn);
      const plain = await candidates(uncaptured, rows, turn);
      for (const step of [0, 1])
        for (let row = 0; row < rows; row++) {
          const problem = rowProblem(plain[step]?.[row], replayed[step]?.[row], TOLERANCE[type]);
          if (problem !== null) return `${problem} in row ${row} of ${rows}, step ${step} of turn ${turn}`;
        }
    }
  return null;
}

const EVERYTHING: RowWish = { allowed: null, listed: new Int32Array(0), inverseTemperature: 1 };

/** From the beginning to the end of a prompt, far from where the row and its neighbours were in the turn before. */
function pastOf(row: number, turn: number, promptTokens: number): number {
  const most = Math.max(1, promptTokens - 2);
  return 1 + ((row * 37 + turn * 59) % most);
}

const copied = ({ logits, tokenIds, ...rest }: RowCandidates): RowCandidates => ({
  ...rest,
  logits: logits.slice(),
  tokenIds: tokenIds.slice(),
});

function rowProblem(
  plain: RowCandidates | undefined,
  replayed: RowCandidates | undefined,
  tolerance: number,
): string | null {
  if (plain === undefined || replayed === undefined) return 'nothing is selected';
  const byToken = new Map(Array.from(replayed.tokenIds, (token, i) => [token, replayed.logits[i]]));
  for (const [i, token] of plain.tokenIds.subarray(0, COMPARED_TOKENS).entries()) {
    const [expected = Number.NaN, logit = Number.NaN] = [plain.logits[i], byToken.get(token)];
    if (!(Math.abs(logit - expected) <= tolerance))
      return `a replayed run gives token ${token} a logit of ${logit}, a plain one ${expected},`;
  }
  if (!(Math.abs(replayed.logSumExp - plain.logSumExp) <= tolerance))
    return `log Σ exp of a replayed run is ${replayed.logSumExp}, of a plain one ${plain.logSumExp},`;
  return null;
}

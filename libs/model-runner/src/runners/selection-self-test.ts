import type { DeviceLogits, ModelRunner, RowCandidates, RowWish } from '#contracts';
import { MASS_TOLERANCE, NEAR_NATS } from '#contracts/ports';

type TestedRunner = Pick<ModelRunner, 'prefill' | 'decode' | 'logits' | 'shape' | 'slots' | 'slotTokens'>;

type TestedLogits = Pick<DeviceLogits, 'select' | 'fetchRow'>;

const PROMPT_TOKENS = 2;
const EVERY_SECOND = 0x5555_5555;
/** The exponents are rounded before they are summed. */
const LOG_SUM_TOLERANCE = 1e-4;

/**
 * Has a device select of the logits of a step, with and without a mask, and compares with the rows themselves. Whoever samples goes by
 * what is selected, so a device whose TopK, sums or gathers are wrong would give wrong tokens, not slow ones. Writes to the first two slots.
 * @returns what differs, or what it fails with; null where it is right. What whole rows need was proven before, so this keeps no model from its start
 */
export async function selectionProblem(runner: TestedRunner, deviceLogits: TestedLogits): Promise<string | null> {
  try {
    return await differenceOf(runner, deviceLogits);
  } catch (error) {
    return `it fails with ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function differenceOf(runner: TestedRunner, deviceLogits: TestedLogits): Promise<string | null> {
  const { slots, slotTokens, shape, logits } = runner;
  const { vocabularySize } = shape;
  const rows = Math.min(2, slots);
  if (slotTokens <= PROMPT_TOKENS) return null;
  const token = (i: number) => (i * 7919 + 11) % vocabularySize;
  for (let row = 0; row < rows; row++) await runner.prefill(row, Int32Array.of(token(row), token(row + 2)), 0);
  const pasts = new Int32Array(rows).fill(PROMPT_TOKENS);
  await runner.decode(
    rows,
    Int32Array.from({ length: rows }, (_, row) => token(row + 5)),
    pasts,
  );

  const allowed = new Int32Array(Math.ceil(vocabularySize / 32)).fill(EVERY_SECOND);
  const free: RowWish = { allowed: null, listed: Int32Array.of(0, vocabularySize - 1), inverseTemperature: 1 };
  const masked: RowWish = { allowed, listed: Int32Array.of(), inverseTemperature: 1 / 0.7 };
  for (const wishes of [
    [free, free],
    [masked, free],
  ].map((both) => both.slice(0, rows))) {
    const selected = deviceLogits.select(wishes);
    for (const [row, wish] of wishes.entries()) {
      deviceLogits.fetchRow(row);
      const whole = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
      const problem = candidateProblem(whole, wish, selected[row]);
      if (problem !== null) return `${problem} in row ${row} of ${rows}${wish.allowed === null ? '' : ', with a mask'}`;
    }
  }
  return null;
}

function candidateProblem(whole: Float32Array, wish: RowWish, candidates: RowCandidates | undefined): string | null {
  if (candidates === undefined) return 'nothing is selected';
  const isAllowed = (token: number) => wish.allowed === null || token % 2 === 0;
  const listed = new Set<number>();
  for (const [i, token] of candidates.tokenIds.entries()) {
    const logit = candidates.logits[i];
    // A mask may leave fewer tokens than there are places.
    if (logit === Number.NEGATIVE_INFINITY) break;
    if (!isAllowed(token)) return `token ${token} is selected, which is not allowed,`;
    if (logit !== whole[token]) return `token ${token} is selected with a logit of ${logit}, it has ${whole[token]},`;
    if (logit > (candidates.logits[i - 1] ?? Number.POSITIVE_INFINITY)) return `place ${i} is above the one before`;
    if (listed.has(token)) return `token ${token} is selected twice`;
    listed.add(token);
  }
  const floor = candidates.logits.at(-1) ?? Number.POSITIVE_INFINITY;
  const missed = whole.findIndex((logit, token) => logit > floor && isAllowed(token) && !listed.has(token));
  if (missed >= 0) return `token ${missed} is left out, at ${whole[missed]} above the last at ${floor},`;
  const wrong = wish.listed.findIndex((token, i) => candidates.listedLogits[i] !== whole[token]);
  if (wrong >= 0) return `the logit of token ${wish.listed[wrong]} comes as ${candidates.listedLogits[wrong]}`;
  return sumProblem(
    whole.filter((_, token) => isAllowed(token)),
    whole,
    wish,
    candidates,
  );
}

function sumProblem(
  allowed: Float32Array,
  whole: Float32Array,
  { inverseTemperature }: RowWish,
  { logits, mass, logSumExp }: RowCandidates,
): string | null {
  const exponents = Array.from(allowed, (logit) => (logit - logits[0]) * inverseTemperature);
  const sumOf = (of: readonly number[]) => of.reduce((sum, exponent) => sum + Math.exp(exponent), 0);
  const all = sumOf(exponents);
  if (!(Math.abs(mass.all / all - 1) <= MASS_TOLERANCE)) return `the tokens weigh ${mass.all}, it should be ${all},`;
  const near = sumOf(exponents.filter((exponent) => exponent > -NEAR_NATS));
  const [low, high] = [near * (1 - MASS_TOLERANCE), near * (1 + MASS_TOLERANCE)];
  if (!(mass.nearLow <= high && mass.nearHigh >= low))
    return `the near tokens weigh ${mass.nearLow} to ${mass.nearHigh}, it should be ${near},`;
  const largest = whole.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const logSum = largest + Math.log(sumOf(Array.from(whole, (logit) => logit - largest)));
  if (!(Math.abs(logSumExp - logSum) <= LOG_SUM_TOLERANCE)) return `log Σ exp is ${logSumExp}, it should be ${logSum},`;
  return null;
}

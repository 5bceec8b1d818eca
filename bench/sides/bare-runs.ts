import type { ModelRunner, RowWish } from '#contracts';
import { BENCH_CHUNK_TOKENS, benchPrompt } from './bare-loop-task.ts';

/** In the engine rows join one a step, so the first has the longest context: the same in the bare loops. */
export const joinedBefore = (row: number, rows: number): number => rows - 1 - row;

/**
 * The limit the engine is held against: nothing but runs of the model, no scheduling, no sampling; milliseconds of each. Slots must
 * hold what attention is to read: memory that was never written is one page of zeros over and over, which stays in the processor's
 * cache (6 MB a step and row for the shipped model at 128 tokens).
 */
export async function bareDecode(
  runner: ModelRunner,
  rows: number,
  pastTokens: number,
  steps: number,
): Promise<number[]> {
  const tokenIds = Int32Array.from({ length: rows }, (_, row) => (row * 13 + 7) % runner.shape.vocabularySize);
  const past = new Int32Array(rows);
  const stepMs: number[] = [];
  for (let step = 0; step < steps; step++) {
    for (let row = 0; row < rows; row++) past[row] = pastTokens + joinedBefore(row, rows) + step;
    const begin = performance.now();
    await runner.decode(rows, tokenIds, past);
    runner.deviceLogits?.select(tokenWishes(rows));
    stepMs.push(performance.now() - begin);
  }
  return stepMs;
}

/** Bytes between host and device memory of such steps. */
export async function stepTransfers(
  runner: ModelRunner,
  rows: number,
  pastTokens: number,
  steps: number,
): Promise<number[]> {
  const bytes: number[] = [];
  for (let step = 0; step < steps && runner.transferredBytes != null; step++) {
    const before = runner.transferredBytes;
    await bareDecode(runner, rows, pastTokens + step, 1);
    bytes.push((runner.transferredBytes ?? 0) - before);
  }
  return bytes;
}

/** Greedy tokens of rows behind prompts of their own, of several lengths; overwrites what slots hold. */
export async function bestTokens(
  runner: ModelRunner,
  rows: number,
  pastTokens: number,
  steps: number,
): Promise<number[]> {
  const past = Int32Array.from({ length: rows }, (_, row) => Math.max(2, pastTokens - 5 * row));
  const next = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    await prefillChunks(runner, row, benchPrompt(past[row] ?? 0, row));
    next[row] = best(runner, 1, 0);
  }
  const tokens = Array.from(next);
  for (let step = 0; step < steps; step++) {
    await runner.decode(rows, next, past);
    for (let row = 0; row < rows; row++) {
      next[row] = best(runner, rows, row);
      past[row] = (past[row] ?? 0) + 1;
    }
    tokens.push(...next);
  }
  return tokens;
}

function best(runner: ModelRunner, rows: number, row: number): number {
  const candidates = runner.deviceLogits?.select(tokenWishes(rows))[row];
  if (candidates !== undefined) return candidates.tokenIds[0] ?? 0;
  const { vocabularySize } = runner.shape;
  const logits = runner.logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
  return logits.indexOf(logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY));
}

/** What the engine asks of a step's rows where logits are on a device, every other row drawing its token. */
function tokenWishes(rows: number): RowWish[] {
  const listed = new Int32Array(0);
  return Array.from({ length: rows }, (_, row) => ({ allowed: null, listed, inverseTemperature: row % 2 }));
}

/** Milliseconds until the last prompt's logits. */
export async function barePrefill(runner: ModelRunner, count: number, promptTokens: number): Promise<number> {
  const prompts = Array.from({ length: count }, (_, id) => benchPrompt(promptTokens, id));
  const begin = performance.now();
  for (const [id, prompt] of prompts.entries()) await prefillChunks(runner, id % runner.slots, prompt);
  return performance.now() - begin;
}

export async function prefillChunks(
  runner: ModelRunner,
  slot: number,
  prompt: Int32Array,
  fromToken = 0,
): Promise<void> {
  for (let past = fromToken; past < prompt.length; past += BENCH_CHUNK_TOKENS)
    await runner.prefill(slot, prompt.subarray(past, past + BENCH_CHUNK_TOKENS), past);
}

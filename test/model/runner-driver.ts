import type { ModelRunner } from '#contracts';

/** A copy of one row of the runner's logits. */
export function logitsRow(runner: ModelRunner, row = 0): Float32Array {
  const { vocabularySize } = runner.shape;
  runner.deviceLogits?.fetchRow(row);
  return runner.logits.slice(row * vocabularySize, (row + 1) * vocabularySize);
}

export function bestToken(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token]! > logits[best]!) best = token;
  return best;
}

/** Prefills a slot in chunks: of `chunkTokens`, or of the sizes of a list, where the last takes the rest. */
export async function prefillInChunks(
  runner: ModelRunner,
  slot: number,
  tokenIds: ArrayLike<number>,
  chunks: number | readonly number[],
  pastTokens = 0,
): Promise<Float32Array> {
  const prompt = Int32Array.from(tokenIds);
  let past = 0;
  for (let i = 0; past < prompt.length; i++) {
    let size = typeof chunks === 'number' ? chunks : (chunks[i] ?? prompt.length);
    if (prompt.length - past - size === 1) size += 1; // one token alone would take attention's decode path
    await runner.prefill(slot, prompt.subarray(past, past + size), pastTokens + past);
    past += size;
  }
  return logitsRow(runner);
}

/** Greedy tokens of one sequence alone in slot 0, with the logits that chose each. */
export async function generateAlone(
  runner: ModelRunner,
  promptIds: ArrayLike<number>,
  count: number,
  chunkTokens: number,
): Promise<{ tokens: number[]; logits: Float32Array[] }> {
  const logits = [await prefillInChunks(runner, 0, promptIds, chunkTokens)];
  const tokens = [bestToken(logits[0]!)];
  while (tokens.length < count) {
    await runner.decode(1, Int32Array.of(tokens.at(-1)!), Int32Array.of(promptIds.length + tokens.length - 1));
    logits.push(logitsRow(runner));
    tokens.push(bestToken(logits.at(-1)!));
  }
  return { tokens, logits };
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

/** How many values differ in any bit (a NaN differs from all). */
export function differingValues(a: Float32Array, b: Float32Array): number {
  let count = Math.abs(a.length - b.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) count++;
  return count;
}

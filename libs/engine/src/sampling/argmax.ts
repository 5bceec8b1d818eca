/** What `argmax` answers instead of a token when the logits can not be used. */
export const NO_TOKEN = -1;

/**
 * Index of the largest logit; the first one wins ties. `NO_TOKEN` when a logit is NaN or +Infinity, or all are −Infinity.
 *
 * Groups of eight are only compared with the best so far; which of them it is, is looked for in the rare group that
 * raises it. A NaN makes `<=` false and so ends up in that rare part.
 */
export function argmax(logits: Float32Array): number {
  const length = logits.length;
  const grouped = length - (length % 8);
  let best = Number.NEGATIVE_INFINITY;
  let bestIndex = NO_TOKEN;
  let index = 0;
  for (; index < grouped; index += 8) {
    if (
      logits[index] <= best &&
      logits[index + 1] <= best &&
      logits[index + 2] <= best &&
      logits[index + 3] <= best &&
      logits[index + 4] <= best &&
      logits[index + 5] <= best &&
      logits[index + 6] <= best &&
      logits[index + 7] <= best
    ) {
      continue;
    }
    for (let member = index; member < index + 8; member++) {
      const logit = logits[member];
      if (logit <= best) continue;
      if (!(logit < Number.POSITIVE_INFINITY)) return NO_TOKEN;
      best = logit;
      bestIndex = member;
    }
  }
  for (; index < length; index++) {
    const logit = logits[index];
    if (logit <= best) continue;
    if (!(logit < Number.POSITIVE_INFINITY)) return NO_TOKEN;
    best = logit;
    bestIndex = index;
  }
  return bestIndex;
}

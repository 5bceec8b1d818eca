import type { TokenLogprob } from '../step-output.ts';
import { BUCKETS } from './exp-table.ts';
import type { WeighedRow } from './weighed-row.ts';

/**
 * Log probability of `tokenId` and of the `topCount` likeliest tokens in the model's own distribution: log-softmax of
 * the logits before bias, penalties and temperature.
 *
 * @param logits [vocabularySize], none NaN, at least one finite
 * @param row of these logits, at temperature 1, as far as tokens can be drawn at all
 */
export function tokenLogprob(logits: Float32Array, row: WeighedRow, tokenId: number, topCount: number): TokenLogprob {
  const logNormalizer = row.largest + Math.log(row.total());
  const top = row.count < topCount ? likeliestOf(logits, topCount) : likeliestIn(row, topCount);
  return {
    tokenId,
    logprob: logits[tokenId] - logNormalizer,
    top: top.map((token) => ({ tokenId: token, logprob: logits[token] - logNormalizer })),
  };
}

/** The `count` likeliest tokens, likeliest first, lower id first among equals. */
function likeliestIn(row: WeighedRow, count: number): number[] {
  const top: number[] = [];
  for (let bucket = 0; bucket < BUCKETS && top.length < count; bucket++) {
    const wanted = Math.min(row.counts[bucket], count - top.length);
    if (wanted > 0) top.push(...row.sorted(bucket).subarray(0, wanted));
  }
  return top;
}

/** The same where some of them are so unlikely that they have no weight. For small counts. */
function likeliestOf(logits: Float32Array, count: number): number[] {
  const top: number[] = [];
  let lowest = Number.NEGATIVE_INFINITY;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token];
    if (logit <= lowest && top.length === count) continue;
    let place = top.length;
    while (place > 0 && logits[top[place - 1]] < logit) place--;
    top.splice(place, 0, token);
    if (top.length > count) top.pop();
    lowest = logits[top[top.length - 1]];
  }
  return top;
}

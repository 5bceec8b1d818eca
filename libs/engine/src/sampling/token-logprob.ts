import type { TokenLogprob } from '../step-output.ts';
import { expOfNegative, RANGE_NATS } from './exp-table.ts';

/**
 * Log probability of `tokenId` and of the `topCount` likeliest tokens in the model's own distribution: log-softmax of
 * the logits before bias, penalties and temperature.
 *
 * @param logits [vocabularySize], none NaN, at least one finite
 */
export function tokenLogprob(logits: Float32Array, tokenId: number, topCount: number): TokenLogprob {
  const top = likeliestTokens(logits, Math.max(1, topCount));
  const maxLogit = logits[top[0]];
  let sum = 0;
  for (let token = 0; token < logits.length; token++) {
    const x = logits[token] - maxLogit;
    if (x > -RANGE_NATS) sum += expOfNegative(x);
  }
  const logNormalizer = maxLogit + Math.log(sum);
  return {
    tokenId,
    logprob: logits[tokenId] - logNormalizer,
    top: top.slice(0, topCount).map((token) => ({ tokenId: token, logprob: logits[token] - logNormalizer })),
  };
}

/** The `count` likeliest tokens, likeliest first, lower id first among equals. For small counts. */
function likeliestTokens(logits: Float32Array, count: number): number[] {
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

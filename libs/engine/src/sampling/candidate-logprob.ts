import type { RowCandidates } from '#contracts';
import type { TokenLogprob } from '../step-output.ts';

/**
 * `tokenLogprob` of a row of which candidates came over from a device. Log probabilities are within 1e-5 of the whole row's: the device adds in another
 * order.
 * @param logit of the token, as the model gave it
 * @returns null where the likeliest tokens are not all among the candidates
 */
export function candidateLogprob(
  { logits, topLogits, topTokenIds, complete, logSumExp }: RowCandidates,
  tokenId: number,
  logit: number,
  topCount: number,
): TokenLogprob | null {
  const lowest = topLogits[topCount - 1] ?? Number.NEGATIVE_INFINITY;
  const isAll = complete && topLogits.length === logits.length;
  if (topCount > topLogits.length && !isAll) return null;
  // Others may be equal to the last one, with lower ids.
  if (topCount > 0 && !isAll && lowest <= topLogits[topLogits.length - 1]) return null;
  const top: { tokenId: number; logit: number }[] = [];
  for (let i = 0; i < topLogits.length && topCount > 0 && topLogits[i] >= lowest; i++)
    top.push({ tokenId: topTokenIds[i], logit: topLogits[i] });
  top.sort((a, b) => b.logit - a.logit || a.tokenId - b.tokenId);
  return {
    tokenId,
    logprob: logit - logSumExp,
    top: top
      .slice(0, topCount)
      .map(({ tokenId: token, logit: value }) => ({ tokenId: token, logprob: value - logSumExp })),
  };
}

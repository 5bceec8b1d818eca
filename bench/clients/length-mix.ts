/**
 * Tokens of prompts and answers as people send them: the deciles of a public trace of a chat service (Azure, November 2023,
 * 5,000 conversations, CC-BY-4.0), where a prompt's length says next to nothing about its answer's. Its arrivals are as good
 * as Poisson's for some seconds: the gaps' deviation is 1.06 of their mean, and the variance of arrivals a second 1.14 of
 * theirs. The same service's code completions come in bursts: 14.6.
 */
const PROMPT_DECILES = [2, 238, 396, 844, 1_010, 1_046, 1_085, 1_135, 1_236, 2_332, 7_930];
const ANSWER_DECILES = [10, 55, 82, 99, 142, 217, 390, 398, 413, 431, 1_000];
const LONGEST_PROMPT_TOKENS = 7_930;
const LONGEST_ANSWER_TOKENS = 1_000;

export interface RequestLengths {
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/**
 * Lengths of one request.
 * @param scale what the trace's lengths are multiplied with, so that a small machine serves enough requests to count
 */
export function drawLengths(scale: number, random: () => number): RequestLengths {
  return {
    promptTokens: drawn(PROMPT_DECILES, scale, random()),
    answerTokens: drawn(ANSWER_DECILES, scale, random()),
  };
}

export const longestRequestTokens = (scale: number): number =>
  Math.ceil((LONGEST_PROMPT_TOKENS + LONGEST_ANSWER_TOKENS) * scale);

function drawn(deciles: readonly number[], scale: number, share: number): number {
  const place = share * (deciles.length - 1);
  const below = deciles[Math.floor(place)] ?? 0;
  const above = deciles[Math.floor(place) + 1] ?? below;
  return Math.max(1, Math.round((below + (above - below) * (place % 1)) * scale));
}

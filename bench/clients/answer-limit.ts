/** No suite asks for anything that takes so long: an answer that has not ended by then never ends. */
const ANSWER_LIMIT_MS = 600_000;

/** For one request: where an answer has no end, its suite fails and does not wait for ever. */
export function answerLimit(): AbortSignal {
  return AbortSignal.timeout(ANSWER_LIMIT_MS);
}

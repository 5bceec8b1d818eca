/** One request as its client saw it; times in ms from when it was sent. */
export interface ServedRequest {
  /** 0 when no answer came. */
  status: number;
  /** Of a refusal, or of what broke the stream off; null for none. */
  code: string | null;
  /** The server's name for it; null where it told none. */
  requestId: string | null;
  /** Asked for. */
  answerTokens: number;
  firstTokenMs: number | null;
  lastTokenMs: number | null;
  /** Between two events with text. */
  gapsMs: number[];
  /** The stream ended with [DONE]. */
  whole: boolean;
  /** When it was over, on the clock of `performance.now()`. */
  endedMs: number;
  /** What the server counted; null where it told nothing. */
  usage: { readonly promptTokens: number; readonly cachedTokens: number; readonly answerTokens: number } | null;
}

/** What a user of a chat takes for quick: when the first token comes, and the time a token of the whole answer then. */
export interface Objective {
  readonly firstTokenMs: number;
  readonly tokenMs: number;
}

/** Whether it was served to its end within the objective. */
export function isGood(request: ServedRequest, { firstTokenMs, tokenMs }: Objective): boolean {
  if (!request.whole || request.firstTokenMs === null || request.lastTokenMs === null) return false;
  const followers = Math.max(1, request.answerTokens - 1);
  return request.firstTokenMs <= firstTokenMs && (request.lastTokenMs - request.firstTokenMs) / followers <= tokenMs;
}

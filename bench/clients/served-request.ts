/** One request as its client saw it; times in ms from when it was sent. */
export interface ServedRequest {
  /** 0 when no answer came. */
  status: number;
  answerTokens: number;
  firstTokenMs: number | null;
  lastTokenMs: number | null;
  /** Between two events with text. */
  gapsMs: number[];
  /** The stream ended with [DONE]. */
  whole: boolean;
  /** When it was over, from when the load began. */
  endedMs: number;
}

/** What a user of a chat takes for quick: when the first token comes, and the time a token of the whole answer then. */
export interface Objective {
  readonly firstTokenMs: number;
  readonly tokenMs: number;
}

/** What came of one load. */
export interface LoadPoint {
  /** As a part of the closed loop's peak. */
  readonly load: number;
  /** How long requests arrived. */
  readonly seconds: number;
  readonly requests: readonly ServedRequest[];
}

/** Requests that were served to their end within the objective, a second. */
export const goodPerS = ({ requests, seconds }: LoadPoint, objective: Objective): number =>
  requests.filter((request) => isGood(request, objective)).length / seconds;

function isGood(request: ServedRequest, { firstTokenMs, tokenMs }: Objective): boolean {
  if (!request.whole || request.firstTokenMs === null || request.lastTokenMs === null) return false;
  const followers = Math.max(1, request.answerTokens - 1);
  return request.firstTokenMs <= firstTokenMs && (request.lastTokenMs - request.firstTokenMs) / followers <= tokenMs;
}

export const wholePerS = ({ requests, seconds }: LoadPoint): number =>
  requests.filter(({ whole }) => whole).length / seconds;

export const refusedPerS = ({ requests, seconds }: LoadPoint): number =>
  requests.filter(({ status }) => status === 429).length / seconds;

export const firstTokensMs = ({ requests }: LoadPoint): number[] =>
  requests.flatMap(({ firstTokenMs }) => (firstTokenMs === null ? [] : [firstTokenMs]));

export const gapsMs = ({ requests }: LoadPoint): number[] => requests.flatMap((request) => request.gapsMs);

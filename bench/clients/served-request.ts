import { isGood, type Objective, type ServedRequest } from '../../apps/cli/src/replay/served-request.ts';

export type { Objective, ServedRequest };

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

export const wholePerS = ({ requests, seconds }: LoadPoint): number =>
  requests.filter(({ whole }) => whole).length / seconds;

export const refusedPerS = ({ requests, seconds }: LoadPoint): number =>
  requests.filter(({ status }) => status === 429).length / seconds;

export const firstTokensMs = ({ requests }: LoadPoint): number[] =>
  requests.flatMap(({ firstTokenMs }) => (firstTokenMs === null ? [] : [firstTokenMs]));

export const gapsMs = ({ requests }: LoadPoint): number[] => requests.flatMap((request) => request.gapsMs);

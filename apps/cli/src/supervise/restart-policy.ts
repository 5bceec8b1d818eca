export interface RestartPolicy {
  /** Wait before the first restart; doubles with each further quick death. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A process that lived at least this long after it was ready died of something new: the count starts again. */
  readonly quickMs: number;
  /** This many quick deaths in a row, and the supervisor gives up. */
  readonly maxQuickDeaths: number;
}

export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  firstDelayMs: 250,
  longestDelayMs: 8_000,
  quickMs: 30_000,
  maxQuickDeaths: 5,
};

export type RestartDecision =
  | { readonly action: 'restart'; readonly delayMs: number; readonly quickDeaths: number }
  | { readonly action: 'give-up'; readonly quickDeaths: number };

/** What to do about a process that ended by itself `aliveMs` after its start, after `quickDeaths` quick deaths before. */
export function decideRestart(policy: RestartPolicy, aliveMs: number, quickDeaths: number): RestartDecision {
  const deaths = aliveMs >= policy.quickMs ? 1 : quickDeaths + 1;
  if (deaths >= policy.maxQuickDeaths) return { action: 'give-up', quickDeaths: deaths };
  const delayMs = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (deaths - 1));
  return { action: 'restart', delayMs, quickDeaths: deaths };
}

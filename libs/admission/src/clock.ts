/** Where time comes from, so that tests can simulate it. */
export interface Clock {
  /** Unix time in ms. */
  nowMs(): number;
  /** What scripts take as their time: Unix time in ms, or '' for Redis's own clock, which all replicas share. */
  scriptTime(): number | '';
}

export const systemClock: Clock = { nowMs: () => Date.now(), scriptTime: () => '' };

const FIRST_MS = 50;
const MAX_MS = 5_000;

/** Longest wait a claim sits through; past it the claim is denied at once, so that a dead replica holds no slots. */
export const MAX_CLAIM_WAIT_MS = 250;

/** Time before the next dial after `failures` dials in a row have failed: 0, then 50 ms doubling up to 5 s. */
export function redialDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1));
}

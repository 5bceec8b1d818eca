import { seededRandom } from '../../test/chaos/seeded-random.ts';

/** Poisson arrivals: when each of so many requests comes, in ms from the first. The same seed makes the same ones. */
export function poissonArrivals(seed: number, perSecond: number, requests: number): number[] {
  const random = seededRandom(seed);
  let atMs = 0;
  return Array.from({ length: requests }, () => {
    const dueMs = atMs;
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond;
    return dueMs;
  });
}

/**
 * Arrivals in bursts: `BURST` requests at once on average, bursts of random size (geometric) that come like Poisson's. The
 * variance of arrivals a second is then 2 · `BURST` − 1 of their mean, as that of the trace's code completions is (14.6).
 */
const BURST = 7.8;
export function burstyArrivals(seed: number, perSecond: number, requests: number): number[] {
  const random = seededRandom(seed);
  let atMs = 0;
  return Array.from({ length: requests }, () => {
    const dueMs = atMs;
    // The burst is over after each of its requests with this chance, and the next one has to be waited for.
    if (random() < 1 / BURST) atMs += (-Math.log(1 - random()) * 1_000 * BURST) / perSecond;
    return dueMs;
  });
}

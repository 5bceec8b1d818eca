/** A sequence of numbers in [0, 1) that is the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Poisson arrivals: when each of so many requests comes, in ms from the first. The same seed makes the same ones. */
export function poissonArrivals(seed: number, perSecond: number, requests: number): number[] {
  const random = seeded(seed);
  let atMs = 0;
  return Array.from({ length: requests }, () => {
    const dueMs = atMs;
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond;
    return dueMs;
  });
}

/** Begins a call at each of the times, whatever became of those before; settles when all have ended. */
export async function openLoop(arrivalsMs: readonly number[], call: (request: number) => Promise<void>): Promise<void> {
  const beganMs = performance.now();
  const calls: Promise<void>[] = [];
  for (const [request, dueMs] of arrivalsMs.entries()) {
    const waitMs = beganMs + dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    calls.push(call(request));
  }
  await Promise.all(calls);
}

import type { RecordedTrace } from './recorded-trace.ts';

export interface Arrival {
  readonly atMs: number;
  readonly contextTokens: number;
  readonly generatedTokens: number;
}

export interface ArrivalOptions {
  /** How often the recording is played: forwards, backwards and so on, so that the rate has no seams. */
  readonly runs: number;
  /** Share of the recorded requests at a time; above 1 some come twice. 1 when unset. */
  readonly shareAt?: (atMs: number) => number;
  readonly seed?: number;
}

/**
 * Requests as they were recorded: as many as there were in each interval, at random times in it, their lengths
 * exponentially distributed around the interval's means. The same for the same seed.
 */
export function arrivals(trace: RecordedTrace, { runs, shareAt = () => 1, seed = 1 }: ArrivalOptions): Arrival[] {
  const random = randomFrom(seed);
  const all: Arrival[] = [];
  for (let run = 0; run < runs; run += 1) {
    for (const { index, requests, contextTokens, generatedTokens } of trace.intervals) {
      const place = run % 2 === 0 ? index : trace.durationMs / trace.intervalMs - 1 - index;
      const startMs = run * trace.durationMs + place * trace.intervalMs;
      const wanted = requests * shareAt(startMs);
      const count = Math.floor(wanted) + (random() < wanted % 1 ? 1 : 0);
      for (let nth = 0; nth < count; nth += 1) {
        all.push({
          atMs: startMs + random() * trace.intervalMs,
          contextTokens: tokensAround(contextTokens / requests, random),
          generatedTokens: tokensAround(generatedTokens / requests, random),
        });
      }
    }
  }
  return all.sort((a, b) => a.atMs - b.atMs);
}

/** No request is more than four times the mean: the recorded services cut lengths too. */
function tokensAround(mean: number, random: () => number): number {
  return Math.max(1, Math.round(Math.min(4, -Math.log(1 - random())) * mean));
}

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

import { describe, expect, it } from 'vitest';
import { PrefillPace } from './prefill-pace.ts';

/** After runs that took so long, with a decode run behind. */
function paceOf(decodeMs: number, msOf: (tokens: number, past: number) => number, stretch = 3, past = 0) {
  const pace = new PrefillPace({ maxTokens: 128, stretch });
  for (let run = 0; run < 60; run++) {
    pace.decoded(decodeMs);
    const tokens = [16, 32, 8][run % 3];
    pace.prefilled(tokens, past, msOf(tokens, past));
  }
  pace.beginDecode();
  return pace;
}

const perToken = (ms: number) => (tokens: number) => tokens * ms;
const LONG = 4_000;

describe('PrefillPace', () => {
  it('lets a chunk take three quarters of what the stretch leaves beside a decode run', () => {
    // 40 ms · (3 − 1) · 0.75 = 60 ms, at 2 ms a token 30 tokens, of which the kernels like 28.
    expect(paceOf(40, perToken(2)).nextChunk(LONG, 0, true)).toBe(28);
  });

  it('makes chunks smaller where attention has a longer past to read', () => {
    const msOf = (tokens: number, past: number) => 6 + tokens + 0.005 * past + 0.0005 * tokens * past;
    expect(paceOf(40, msOf, 3, 0).nextChunk(LONG, 0, true)).toBe(52);
    expect(paceOf(40, msOf, 3, 2_000).nextChunk(LONG, 2_000, true)).toBe(20);
  });

  it('stays within the largest chunk, and never below the smallest', () => {
    expect(paceOf(1_000, perToken(1)).nextChunk(LONG, 0, true)).toBe(128);
    expect(paceOf(10, perToken(50)).nextChunk(LONG, 0, true)).toBe(4);
  });

  it('computes one chunk between two decode runs, and another prompt as well where both fit', () => {
    const pace = paceOf(40, perToken(2));
    expect(pace.nextChunk(10, 0, true)).toBe(10);
    expect(pace.nextChunk(LONG, 0, true)).toBe(0);
    expect(pace.nextChunk(12, 0, true)).toBe(12);
    expect(pace.nextChunk(12, 0, true)).toBe(0);
    pace.beginDecode();
    expect(pace.nextChunk(LONG, 0, true)).toBe(28);
  });

  it('lets a chunk of a tenant that is due more seats take two decode runs, whatever others have taken', () => {
    const pace = paceOf(40, perToken(1));
    expect(pace.nextChunk(50, 0, true)).toBe(50);
    expect(pace.nextChunk(70, 0, true)).toBe(0);
    expect(pace.nextChunk(70, 0, true, true)).toBe(70);
    expect(pace.nextChunk(LONG, 0, true, true)).toBe(0);
    pace.beginDecode();
    expect(pace.nextChunk(LONG, 0, true, true)).toBe(80);
    // Where others get more it gets as much.
    expect(paceOf(20, perToken(1), 5).nextChunk(LONG, 0, true, true)).toBe(60);
    expect(paceOf(20, perToken(1), 5).nextChunk(LONG, 0, true)).toBe(60);
  });

  it('computes whole chunks, one after another, while no row waits', () => {
    const pace = paceOf(10, perToken(50));
    for (let chunk = 0; chunk < 3; chunk++) expect(pace.nextChunk(LONG, 128 * chunk, false)).toBe(128);
    expect(pace.nextChunk(LONG, 384, true)).toBe(0);
  });

  it('does not slow prompts down for answers that come too quickly to read', () => {
    expect(paceOf(0.5, perToken(0.1)).nextChunk(LONG, 0, true)).toBeGreaterThan(70);
  });

  it('computes whole chunks until both kinds of runs were measured, and where no stretch is asked for', () => {
    const pace = new PrefillPace({ maxTokens: 128, stretch: 3 });
    expect(pace.nextChunk(LONG, 0, true)).toBe(128);
    pace.decoded(10);
    pace.beginDecode();
    expect(pace.nextChunk(LONG, 0, true)).toBe(128);
    expect(paceOf(10, perToken(10), 0).nextChunk(LONG, 0, true)).toBe(128);
  });

  it('leaves no token of a prompt behind alone', () => {
    expect(paceOf(40, perToken(2)).nextChunk(29, 0, true)).toBe(27);
  });
});

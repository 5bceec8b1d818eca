import { describe, expect, it } from 'vitest';
import { PrefillPace } from './prefill-pace.ts';

/** After runs that took so long, with a decode run behind. */
function paceOf(
  decodeMs: number,
  msOf: (tokens: number, past: number) => number,
  { stretch = 3, past = 0, parts = 1 } = {},
) {
  const pace = new PrefillPace({ maxTokens: 128, stretch, parts });
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
const tokensOf = (pace: PrefillPace, remaining: number, past = 0, rowsWait = true, due = false) =>
  pace.nextChunk(remaining, past, rowsWait, due)?.tokens ?? 0;
/** The shipped model's chunks on two cores. */
const measured = (tokens: number, past: number) => 6.4 + 0.95 * tokens + 0.0056 * past + 0.00053 * tokens * past;

describe('PrefillPace', () => {
  it('lets a chunk take three quarters of what the stretch leaves beside a decode run, until it knows how far runs vary', () => {
    // 40 ms · (3 − 1) · 0.75 = 60 ms, at 2 ms a token 30 tokens, of which the kernels like 28.
    expect(tokensOf(paceOf(40, perToken(2)), LONG, 0)).toBe(28);
  });

  it('lets a chunk take more where runs take what was foretold, and less where a part of them takes far longer', () => {
    const paceWith = (ratioOf: (run: number) => number) => {
      const pace = paceOf(40, perToken(2));
      const chunk = { tokens: 32, parts: 1 };
      for (let run = 0; run < 300; run++) pace.computed(chunk, 0, 0, 64 * ratioOf(run));
      pace.beginDecode();
      return tokensOf(pace, LONG);
    };
    // 80 ms ÷ 1.05 = 76 ms, and 80 ms ÷ 1.8.
    expect(paceWith(() => 1)).toBe(36);
    expect(paceWith((run) => (run % 5 === 0 ? 1.8 : 1))).toBeLessThanOrEqual(24);
    // One in a hundred decides nothing.
    expect(paceWith((run) => (run % 100 === 0 ? 9 : 1))).toBeGreaterThanOrEqual(32);
  });

  it('makes chunks so long that the longest of their parts fits', () => {
    const withHead = (headShare: number) => {
      const pace = paceOf(10, measured, { past: 4_000, parts: 6 });
      const chunk = { tokens: 16, parts: 6 };
      for (let run = 0; run < 100; run++)
        for (let part = 0; part < 6; part++)
          pace.computed(chunk, part, 4_000, (measured(16, 4_000) / 6) * (part === 5 ? headShare : 1));
      pace.beginDecode();
      return { pace, chunk: pace.nextChunk(LONG, 4_000, true)! };
    };
    expect(withHead(1).chunk).toEqual({ tokens: 24, parts: 6 });
    const { pace, chunk } = withHead(1.5);
    expect(chunk).toEqual({ tokens: 16, parts: 6 });
    for (let part = 1; part < 6; part++) {
      expect(pace.continues(chunk, part, 4_000, true)).toBe(false);
      pace.beginDecode();
      expect(pace.continues(chunk, part, 4_000, true)).toBe(true);
    }
  });

  it('makes chunks smaller where attention has a longer past to read', () => {
    const msOf = (tokens: number, past: number) => 6 + tokens + 0.005 * past + 0.0005 * tokens * past;
    expect(tokensOf(paceOf(40, msOf), LONG, 0)).toBe(52);
    expect(tokensOf(paceOf(40, msOf, { past: 2_000 }), LONG, 2_000)).toBe(20);
  });

  it('stays within the largest chunk, and never below the smallest', () => {
    expect(tokensOf(paceOf(1_000, perToken(1)), LONG, 0)).toBe(128);
    expect(tokensOf(paceOf(10, perToken(50)), LONG, 0)).toBe(4);
  });

  it('computes one chunk between two decode runs, and another prompt as well where both fit', () => {
    const pace = paceOf(40, perToken(2));
    expect(tokensOf(pace, 10, 0)).toBe(10);
    expect(tokensOf(pace, LONG, 0)).toBe(0);
    expect(tokensOf(pace, 12, 0)).toBe(12);
    expect(tokensOf(pace, 12, 0)).toBe(0);
    pace.beginDecode();
    expect(tokensOf(pace, LONG, 0)).toBe(28);
  });

  it('computes the rest of a prompt whose tenant is due more seats at once where that lasts two decode runs, whatever others have taken', () => {
    const pace = paceOf(40, perToken(1));
    expect(tokensOf(pace, 50)).toBe(50);
    expect(tokensOf(pace, 70)).toBe(0);
    expect(tokensOf(pace, 70, 0, true, true)).toBe(70);
    // Two of them only as far as both fit into what others get.
    expect(tokensOf(pace, LONG, 0, true, true)).toBe(0);
    pace.beginDecode();
    expect(tokensOf(pace, 80, 0, true, true)).toBe(80);
    pace.beginDecode();
    expect(tokensOf(pace, 90, 0, true, true)).toBe(60);
  });

  it('gives longer prompts of such a tenant the time of two decode runs, as far as runs vary, or of more where others get more', () => {
    // 40 ms · 2 · 0.75, where others get 40 ms · (2 − 1) · 0.75.
    expect(tokensOf(paceOf(40, perToken(1), { stretch: 2 }), LONG, 0, true, true)).toBe(60);
    expect(tokensOf(paceOf(40, perToken(1), { stretch: 2 }), LONG)).toBe(28);
    expect(tokensOf(paceOf(20, perToken(1), { stretch: 5 }), LONG, 0, true, true)).toBe(60);
    expect(tokensOf(paceOf(20, perToken(1), { stretch: 5 }), LONG)).toBe(60);
  });

  it('computes whole chunks, one after another, while no row waits', () => {
    const pace = paceOf(10, perToken(50));
    for (let chunk = 0; chunk < 3; chunk++) expect(tokensOf(pace, LONG, 128 * chunk, false)).toBe(128);
    expect(tokensOf(pace, LONG, 384)).toBe(0);
  });

  it('does not slow prompts down for answers that come too quickly to read', () => {
    expect(tokensOf(paceOf(0.5, perToken(0.1)), LONG, 0)).toBeGreaterThan(70);
  });

  it('computes whole chunks until both kinds of runs were measured, and where no stretch is asked for', () => {
    const pace = new PrefillPace({ maxTokens: 128, stretch: 3 });
    expect(tokensOf(pace, LONG, 0)).toBe(128);
    pace.decoded(10);
    pace.beginDecode();
    expect(tokensOf(pace, LONG, 0)).toBe(128);
    expect(tokensOf(paceOf(10, perToken(10), { stretch: 0 }), LONG, 0)).toBe(128);
  });

  it('leaves no token of a prompt behind alone', () => {
    expect(tokensOf(paceOf(40, perToken(2)), 29, 0)).toBe(27);
  });

  it('computes a longer chunk in parts where the past alone takes longer than a decode run allows', () => {
    // 10 ms · 2 · 0.75 = 15 ms, 22 ms for reading the past: no chunk fits, but a sixth of one of 80 ms does.
    expect(paceOf(10, measured, { past: 4_000 }).nextChunk(LONG, 4_000, true)).toEqual({ tokens: 4, parts: 1 });
    const pace = paceOf(10, measured, { past: 4_000, parts: 6 });
    const chunk = pace.nextChunk(LONG, 4_000, true);
    expect(chunk).toEqual({ tokens: 16, parts: 6 });
    for (let part = 1; part < 6; part++) {
      expect(pace.continues(chunk!, part, 4_000, true)).toBe(false);
      pace.beginDecode();
      expect(pace.continues(chunk!, part, 4_000, true)).toBe(true);
    }
  });

  it('computes several parts at a time where they fit, and chunks whole where that is as good', () => {
    const pace = paceOf(22, measured, { past: 500, parts: 6 });
    const chunk = pace.nextChunk(LONG, 500, true);
    expect(chunk?.parts).toBe(6);
    let parts = 1;
    while (pace.continues(chunk!, parts, 500, true)) parts++;
    expect(parts).toBeGreaterThan(1);
    expect(paceOf(200, measured, { parts: 6 }).nextChunk(LONG, 0, true)).toEqual({ tokens: 128, parts: 1 });
  });
});

import { describe, expect, it } from 'vitest';
import { PrefillPace } from './prefill-pace.ts';

function paceOf(decodeMs: number, msPerToken: number, stretch = 3) {
  const pace = new PrefillPace({ maxTokens: 128, stretch });
  for (let run = 0; run < 40; run++) {
    pace.decoded(decodeMs);
    pace.prefilled(16, 16 * msPerToken);
  }
  return pace;
}

describe('PrefillPace', () => {
  it('lets a chunk take three quarters of what the stretch leaves beside a decode run', () => {
    // 40 ms · (3 − 1) · 0.75 = 60 ms, at 2 ms a token 30 tokens, of which attention likes 24.
    expect(paceOf(40, 2).budgetTokens()).toBe(24);
  });

  it('stays within the largest chunk, and never below the smallest', () => {
    expect(paceOf(1_000, 1).budgetTokens()).toBe(128);
    expect(paceOf(10, 50).budgetTokens()).toBe(4);
  });

  it('does not slow prompts down for answers that come too quickly to read', () => {
    expect(paceOf(0.5, 0.1).budgetTokens()).toBe(80);
  });

  it('computes whole chunks until both kinds of runs were measured, and where no stretch is asked for', () => {
    const pace = new PrefillPace({ maxTokens: 128, stretch: 3 });
    expect(pace.budgetTokens()).toBe(128);
    pace.decoded(10);
    expect(pace.budgetTokens()).toBe(128);
    expect(paceOf(10, 10, 0).budgetTokens()).toBe(128);
  });

  it('is moved little by one long run', () => {
    const pace = paceOf(40, 2);
    pace.prefilled(16, 16 * 8);
    expect(pace.budgetTokens()).toBe(16);
    pace.prefilled(16, 16 * 2);
    pace.prefilled(16, 16 * 2);
    pace.prefilled(16, 16 * 2);
    expect(pace.budgetTokens()).toBe(16);
    for (let run = 0; run < 20; run++) pace.prefilled(16, 16 * 2);
    expect(pace.budgetTokens()).toBe(24);
  });
});

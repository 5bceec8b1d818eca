import { describe, expect, it } from 'vitest';
import { DEFAULT_RESTART_POLICY, decideRestart } from './restart-policy.ts';

describe('decideRestart', () => {
  it('waits longer after each quick death, and gives up at the limit', () => {
    const delays: number[] = [];
    let quickDeaths = 0;
    for (;;) {
      const decision = decideRestart(DEFAULT_RESTART_POLICY, 100, quickDeaths);
      quickDeaths = decision.quickDeaths;
      if (decision.action === 'give-up') break;
      delays.push(decision.delayMs);
    }
    expect(delays).toEqual([250, 500, 1_000, 2_000]);
  });

  it('starts counting again after a long life', () => {
    expect(decideRestart(DEFAULT_RESTART_POLICY, 60_000, 4)).toEqual({
      action: 'restart',
      delayMs: 250,
      quickDeaths: 1,
    });
  });
});

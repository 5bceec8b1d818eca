import { describe, expect, it } from 'vitest';
import { SlotLedger } from './slot-ledger.ts';

describe('SlotLedger', () => {
  it('leaves room for exactly the free slots', () => {
    const ledger = new SlotLedger(8);
    ledger.hold('a', 3);
    ledger.hold('b', 1);
    expect(ledger.freeSlots).toBe(4);
    // 2 jobs are held, so 4 jobs of one choice each may still be taken.
    expect(ledger.jobConcurrency).toBe(6);
    ledger.release('a');
    expect(ledger.jobConcurrency).toBe(8);
  });

  it('takes no further job when one job overfills the slots', () => {
    const ledger = new SlotLedger(4);
    ledger.hold('a', 9);
    expect(ledger.freeSlots).toBe(-5);
    expect(ledger.jobConcurrency).toBe(1);
  });

  it('says whether a released job was held', () => {
    const ledger = new SlotLedger(4);
    ledger.hold('a', 1);
    expect(ledger.release('a')).toBe(true);
    expect(ledger.release('a')).toBe(false);
  });
});

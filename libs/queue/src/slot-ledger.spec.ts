import { describe, expect, it } from 'vitest';
import { SlotLedger } from './slot-ledger.ts';

const job = (choices: number, tenantId = 't', weight = 1) => ({ choices, tenantId, weight });

describe('SlotLedger', () => {
  it('leaves room for exactly the free slots', () => {
    const ledger = new SlotLedger(8);
    ledger.hold('a', job(3));
    ledger.hold('b', job(1));
    expect(ledger.freeSlots).toBe(4);
    // 2 jobs are held, so 4 jobs of one choice each may still be taken.
    expect(ledger.jobConcurrency).toBe(6);
    ledger.release('a');
    expect(ledger.jobConcurrency).toBe(8);
  });

  it('takes no further job when one job overfills the slots', () => {
    const ledger = new SlotLedger(4);
    ledger.hold('a', job(9));
    expect(ledger.freeSlots).toBe(-5);
    expect(ledger.jobConcurrency).toBe(1);
  });

  it('says whether a released job was held', () => {
    const ledger = new SlotLedger(4);
    ledger.hold('a', job(1));
    expect(ledger.release('a')).toBe(true);
    expect(ledger.release('a')).toBe(false);
  });

  it('takes one job more for one that is summoned, and refuses another that comes in its place', () => {
    const ledger = new SlotLedger(2);
    ledger.hold('a', job(1));
    ledger.hold('b', job(1));
    expect(ledger.jobConcurrency).toBe(2);
    ledger.summon('due');
    expect(ledger.jobConcurrency).toBe(3);
    expect(ledger.hold('other', job(1))).toBe(false);
    expect(ledger.jobConcurrency).toBe(2);
    ledger.summon('due');
    expect(ledger.hold('due', job(1))).toBe(true);
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([-1, 2]);
    ledger.release('a');
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([0, 2]);
  });

  it('adds up what each tenant has', () => {
    const ledger = new SlotLedger(8);
    ledger.hold('a', job(3, 'x', 2));
    ledger.hold('b', job(1, 'y'));
    ledger.hold('c', job(1, 'x', 2));
    expect(ledger.holdings).toEqual([
      { tenantId: 'x', weight: 2, sequences: 4 },
      { tenantId: 'y', weight: 1, sequences: 1 },
    ]);
  });
});

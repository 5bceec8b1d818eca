import fc from 'fast-check';
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

  it('counts what was offered against the slots, but not as a job of the queue', () => {
    const ledger = new SlotLedger(4);
    expect(ledger.holdOffered('a', job(2, 'x', 2))).toBe(true);
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([2, 2]);
    ledger.hold('b', job(1));
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([1, 2]);
    expect([ledger.isOffered('a'), ledger.isOffered('b'), ledger.holds('a')]).toEqual([true, false, true]);
    expect(ledger.holdings).toContainEqual({ tenantId: 'x', weight: 2, sequences: 2 });
    expect(ledger.release('a')).toBe(true);
    expect([ledger.isOffered('a'), ledger.holds('a'), ledger.freeSlots, ledger.jobConcurrency]).toEqual([
      false,
      false,
      3,
      4,
    ]);
  });

  it('takes what is offered only where a slot is left for the queue, and no job twice', () => {
    const ledger = new SlotLedger(4);
    expect(ledger.holdOffered('too large', job(4))).toBe(false);
    expect(ledger.holdOffered('a', job(2))).toBe(true);
    expect(ledger.holdOffered('a', job(1))).toBe(false);
    expect(ledger.holdOffered('still too large', job(2))).toBe(false);
    expect(ledger.holdOffered('b', job(1))).toBe(true);
    expect(ledger.holdOffered('c', job(1))).toBe(false);
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([1, 1]);
    ledger.hold('q', job(1));
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([0, 1]);
    expect(ledger.holdOffered('q', job(1))).toBe(false);
    expect(new SlotLedger(1).holdOffered('a', job(1))).toBe(false);
  });

  it('takes what is due a seat beyond the slots, but leaves the queue a place there', () => {
    const ledger = new SlotLedger(2);
    ledger.hold('a', job(1));
    ledger.hold('b', job(1));
    expect(ledger.holdOffered('due', job(1))).toBe(false);
    expect(ledger.holdOffered('due', job(1), 1)).toBe(false);
    expect(ledger.holdOffered('due', job(1), 2)).toBe(true);
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([-1, 1]);
    expect(ledger.holdOffered('due too', job(2), 3)).toBe(false);
    ledger.release('a');
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([0, 1]);
    ledger.release('b');
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([1, 1]);
    // With every slot held by what was offered, BullMQ takes one job all the same: the place is for that one.
    expect(ledger.holdOffered('due too', job(1), 2)).toBe(true);
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([0, 1]);
    ledger.hold('c', job(1));
    expect(ledger.freeSlots).toBe(-1);
    expect(ledger.holdOffered('due as well', job(1), 2)).toBe(false);
  });

  it('counts a job once that was offered and came from the queue as well, and as one of the queue from then on', () => {
    const ledger = new SlotLedger(3);
    ledger.holdOffered('a', job(1));
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([2, 2]);
    expect(ledger.hold('a', job(1))).toBe(true);
    expect([ledger.isOffered('a'), ledger.freeSlots, ledger.jobConcurrency]).toEqual([false, 2, 3]);
  });

  it('takes one that was offered, too, when it comes from the queue instead of one that was summoned: it has its slot', () => {
    const ledger = new SlotLedger(2);
    ledger.holdOffered('a', job(1));
    ledger.hold('b', job(1));
    ledger.summon('due');
    expect(ledger.hold('a', job(1))).toBe(true);
    expect([ledger.freeSlots, ledger.jobConcurrency]).toEqual([0, 2]);
  });

  it('has a slot for every job that BullMQ may take, in whatever order jobs are taken, offered and ended', () => {
    const move = fc.record({ kind: fc.constantFrom('queue', 'offer', 'due', 'end'), job: fc.nat(7) });
    let [taken, declined, filled, beyond] = [0, 0, 0, 0];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.nat(4),
        fc.array(move, { maxLength: 60 }),
        (slots, places, moves) => {
          const ledger = new SlotLedger(slots);
          const ofQueue = new Set<string>();
          const held = new Set<string>();
          for (const { kind, job: index } of moves) {
            const jobId = `job-${index}`;
            if (kind === 'end') {
              expect(ledger.release(jobId)).toBe(held.delete(jobId));
              ofQueue.delete(jobId);
            } else if (kind !== 'queue') {
              const more = kind === 'due' ? places : 0;
              const room = held.size < slots + more - 1 && !held.has(jobId);
              expect(ledger.holdOffered(jobId, job(1), more)).toBe(room);
              if (room) held.add(jobId);
              if (room && more === 0) expect(ledger.jobConcurrency).toBeGreaterThan(ofQueue.size);
              taken += Number(room);
              declined += Number(!room);
            } else if (ofQueue.size < ledger.jobConcurrency && !ofQueue.has(jobId)) {
              expect(ledger.hold(jobId, job(1))).toBe(true);
              ofQueue.add(jobId);
              held.add(jobId);
            }
            filled += Number(held.size === slots);
            beyond += Number(held.size > slots);
            expect(ledger.freeSlots).toBe(slots - held.size);
            // Only beside what is due are more held than there are slots, and never more than there are places for.
            expect(ledger.freeSlots).toBeGreaterThanOrEqual(-places);
            // Exactly as many more as there are slots; one at least while BullMQ holds nothing, which it demands.
            const least = ofQueue.size === 0 ? 1 : 0;
            expect(Math.max(0, ledger.jobConcurrency - ofQueue.size)).toBe(Math.max(least, ledger.freeSlots));
          }
        },
      ),
    );
    expect(Math.min(taken, declined, filled, beyond)).toBeGreaterThan(0);
  });
});

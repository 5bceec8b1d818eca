import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotPool } from './slot-pool.ts';

interface Guest {
  slot: number;
  readonly name: number;
}

describe('SlotPool', () => {
  it('keeps rows contiguous, everyone in a slot of their own, and moves what a slot holds along with its occupant', () => {
    const action = fc.record({
      kind: fc.constantFrom('seat', 'promote', 'join', 'leave', 'replace'),
      pick: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(action, { maxLength: 60 }), (capacity, actions) => {
        const contents: (number | null)[] = Array(capacity).fill(null);
        const pool = new SlotPool<Guest>(capacity, (_guest, from, to) => {
          contents[to] = contents[from]!;
        });
        let names = 0;
        const guest = (): Guest => ({ slot: -1, name: names++ });
        for (const { kind, pick } of actions) {
          const seated = [...pool.rows, ...(pool.prefilling === null ? [] : [pool.prefilling])];
          if (kind === 'seat' && pool.free > 0 && pool.prefilling === null) {
            const seat = guest();
            pool.seatForPrefill(seat);
            contents[seat.slot] = seat.name;
          } else if (kind === 'promote' && pool.prefilling !== null) pool.promotePrefill();
          else if (kind === 'join' && pool.free > 0) {
            const seat = guest();
            pool.joinRows(seat);
            contents[seat.slot] = seat.name;
          } else if (kind === 'leave' && seated.length > 0) pool.leave(seated[pick % seated.length]!);
          else if (kind === 'replace' && pool.rows.length > 0) {
            const heir = guest();
            const leaving = pool.rows[pick % pool.rows.length]!;
            contents[leaving.slot] = heir.name;
            pool.replaceRow(leaving, heir);
          }

          expect(pool.occupied + pool.free).toBe(capacity);
          pool.rows.forEach((occupant, row) => {
            expect(occupant.slot).toBe(row);
          });
          const all = [...pool.rows, ...(pool.prefilling === null ? [] : [pool.prefilling])];
          expect(new Set(all.map((occupant) => occupant.slot)).size).toBe(all.length);
          for (const occupant of all) expect(contents[occupant.slot]).toBe(occupant.name);
        }
      }),
    );
  });

  it('seats a prefill where it becomes the next row without a move', () => {
    const moves: number[][] = [];
    const pool = new SlotPool<Guest>(3, (_guest, from, to) => moves.push([from, to]));
    const [a, b] = [
      { slot: -1, name: 0 },
      { slot: -1, name: 1 },
    ];
    pool.seatForPrefill(a);
    pool.promotePrefill();
    pool.seatForPrefill(b);
    pool.promotePrefill();
    expect(moves).toEqual([]);
    pool.leave(a);
    expect(moves).toEqual([[1, 0]]);
  });

  it('refuses more occupants than slots, and to free a slot for somebody who does not hold it', () => {
    const pool = new SlotPool<Guest>(1, () => {});
    pool.joinRows({ slot: -1, name: 0 });
    expect(() => pool.joinRows({ slot: -1, name: 1 })).toThrow('all 1 slots are taken');
    expect(() => pool.leave({ slot: 0, name: 2 })).toThrow('not held by this occupant');
    expect(() => new SlotPool<Guest>(0, () => {})).toThrow(RangeError);
  });
});

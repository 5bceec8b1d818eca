import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventNumbers } from './event-numbers.ts';

/** Numbers the events of an answer of two choices that come in this order; 2 stands for the answer as a whole. */
function numbered(order: readonly number[], lastEventId: string | null = null) {
  const numbers = new EventNumbers(2, lastEventId);
  const made = [0, 0, 0];
  return order.flatMap((of) => {
    made[of] = (made[of] ?? 0) + 1;
    return numbers.number(of === 2 ? 'answer' : of, [`${of}:${made[of]}`]);
  });
}

describe('EventNumbers', () => {
  it('counts the events of each choice and of the answer', () => {
    expect(numbered([0, 1, 0, 2]).map(({ id }) => id)).toEqual(['1.0.0', '1.1.0', '2.1.0', '2.1.1']);
  });

  it('leaves out what the client has, in whichever order the choices come when the answer is told again', () => {
    const order = fc.array(fc.nat(2), { maxLength: 30 });
    fc.assert(
      fc.property(order, fc.nat(30), fc.infiniteStream(fc.nat()), (first, cut, shuffle) => {
        const all = numbered(first);
        const had = all.slice(0, Math.min(cut, all.length));
        const draws = [...shuffle.take(first.length)].map((draw, index) => ({ of: first[index] ?? 0, draw }));
        const again = draws.sort((a, b) => a.draw - b.draw).map(({ of }) => of);
        const rest = numbered(again, had.at(-1)?.id ?? null);
        const seen = [...had, ...rest].map(({ event }) => event);
        expect([...seen].sort()).toEqual(all.map(({ event }) => event).sort());
        expect(new Set([...had, ...rest].map(({ id }) => id)).size).toBe(seen.length);
      }),
    );
  });

  it('refuses an id of an answer with another number of choices', () => {
    expect(() => new EventNumbers(2, '4.1')).toThrow(/one with n = 2 has 3 numbers/);
  });
});

import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { CAN_GIVE_BACK_MEMORY, giveBackMemory, pageAlignedArray } from './give-back-memory.ts';

const PAGE_BYTES = process.arch === 'x64' ? 4_096 : 65_536;

describe('pageAlignedArray', () => {
  it.each(['float32', 'float16'] as const)(
    'has the length asked for, zeros, and a page at its beginning (%s)',
    (type) => {
      for (const length of [1, 1_000, 1 << 20]) {
        const array = pageAlignedArray(type, length);
        expect(array).toHaveLength(length);
        expect(array.every((value) => value === 0)).toBe(true);
        if (CAN_GIVE_BACK_MEMORY) expect(koffi.address(array) % BigInt(PAGE_BYTES)).toBe(0n);
      }
    },
  );

  it('gives rows of whole pages back without their neighbours', () => {
    const rowLength = PAGE_BYTES / 4;
    const array = pageAlignedArray('float32', 3 * rowLength).fill(1);
    giveBackMemory(array, rowLength, 2 * rowLength);
    const left = CAN_GIVE_BACK_MEMORY ? 0 : 1;
    expect([array[0], array[rowLength - 1]]).toEqual([1, 1]);
    expect(array.subarray(rowLength, 2 * rowLength).every((value) => value === left)).toBe(true);
    expect([array[2 * rowLength], array[3 * rowLength - 1]]).toEqual([1, 1]);
  });
});

import { describe, expect, it } from 'vitest';
import { pageAlignedArray } from './give-back-memory.ts';
import { canMovePages, movePages } from './move-pages.ts';

const PLACE = 65_536 / 4;
const places = (array: ArrayLike<number>, count: number) =>
  Array.from({ length: count }, (_, place) => [array[place * PLACE], array[(place + 1) * PLACE - 1]]);

describe.runIf(process.platform === 'linux')('movePages', () => {
  it('moves one place of an array onto another and leaves zeros, and its neighbours alone', () => {
    const array = pageAlignedArray('float32', 4 * PLACE);
    for (let place = 0; place < 4; place++) array.fill(place + 1, place * PLACE, (place + 1) * PLACE);
    for (let round = 0; round < 3; round++) {
      expect(movePages(array, PLACE, 2 * PLACE, PLACE)).toBe(true);
      expect(places(array, 4)).toEqual([1, 0, 2, 4].map((value) => [value, value]));
      expect(movePages(array, 2 * PLACE, PLACE, PLACE)).toBe(true);
      expect(places(array, 4)).toEqual([1, 2, 0, 4].map((value) => [value, value]));
    }
    array.fill(9);
    expect(array.every((value) => value === 9)).toBe(true);
  });

  it('either moves a place that pieces of others were moved into, or leaves it and a new place that can be written', () => {
    const array = pageAlignedArray('float32', 8 * PLACE);
    for (let place = 0; place < 8; place++) array.fill(place + 1, place * PLACE, (place + 1) * PLACE);
    expect(movePages(array, 7 * PLACE, PLACE, PLACE)).toBe(true);
    const moved = movePages(array, 0, 4 * PLACE, 2 * PLACE);
    const target = places(array.subarray(4 * PLACE), 2);
    if (moved) expect(target).toEqual([1, 8].map((value) => [value, value]));
    else expect(places(array, 2)).toEqual([1, 8].map((value) => [value, value]));
    array.fill(3);
    expect(array.every((value) => value === 3)).toBe(true);
  });
});

it('is for whole pages only', () => {
  expect(canMovePages(65_536)).toBe(process.platform === 'linux');
  expect(canMovePages(65_536 + 4)).toBe(false);
  expect(canMovePages(0)).toBe(false);
});

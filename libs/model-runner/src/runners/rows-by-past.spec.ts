import { expect, it } from 'vitest';
import { rowsByPast } from './rows-by-past.ts';

it('groups rows of equal past and leaves out rows past the last', () => {
  expect(rowsByPast(5, Int32Array.of(3, 0, 3, 7, 0, 7))).toEqual([
    { pastTokens: 3, rows: [0, 2] },
    { pastTokens: 0, rows: [1, 4] },
    { pastTokens: 7, rows: [3] },
  ]);
});

it('gives each row a group of its own where rows would change each other', () => {
  expect(rowsByPast(2, Int32Array.of(3, 3, 3), true)).toEqual([
    { pastTokens: 3, rows: [0] },
    { pastTokens: 3, rows: [1] },
  ]);
});

import { expect, it } from 'vitest';
import { rowsByPast } from './rows-by-past.ts';

it('groups rows of equal past and leaves out rows past the last', () => {
  expect(rowsByPast(5, Int32Array.of(3, 0, 3, 7, 0, 7))).toEqual([
    { pastTokens: 3, rows: [0, 2] },
    { pastTokens: 0, rows: [1, 4] },
    { pastTokens: 7, rows: [3] },
  ]);
});

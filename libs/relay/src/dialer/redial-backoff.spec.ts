import { expect, it } from 'vitest';
import { redialDelayMs } from './redial-backoff.ts';

it('does not wait before the first dial, then doubles from 50 ms up to 5 s', () => {
  expect([0, 1, 2, 3, 7, 8, 50].map(redialDelayMs)).toEqual([0, 50, 100, 200, 3_200, 5_000, 5_000]);
});

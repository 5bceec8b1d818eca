import { describe, expect, it } from 'vitest';
import { longestWaitOf } from './longest-wait.ts';

describe('longestWaitOf', () => {
  it.each([
    [{}, null],
    [{ 'x-queue-timeout-ms': '0' }, 0],
    [{ 'x-queue-timeout-ms': '1500' }, 1_500],
    [{ 'x-stainless-timeout': '600' }, 600_000],
    [{ 'x-stainless-timeout': '1', 'x-queue-timeout-ms': '1500' }, 1_000],
    [{ 'x-stainless-timeout': 'soon' }, null],
    [{ 'x-request-timeout-ms': '900', 'x-queue-timeout-ms': '1500' }, 900],
  ])('reads %j as %j', (headers, expected) => {
    expect(longestWaitOf(headers)).toBe(expected);
  });

  it.each(['-1', '1.5', 'soon', '', '99999999'])('refuses x-queue-timeout-ms: %j', (value) => {
    expect(() => longestWaitOf({ 'x-queue-timeout-ms': value })).toThrow(/whole number of ms/);
  });
});

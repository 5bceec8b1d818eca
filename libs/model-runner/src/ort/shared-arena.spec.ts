import { expect, it } from 'vitest';
import { SharedArena } from './shared-arena.ts';

it('ends however the times of two models overlap', () => {
  const first = new SharedArena();
  const second = new SharedArena();
  second[Symbol.dispose]();
  expect(() => first[Symbol.dispose]()).not.toThrow();
  const earlier = new SharedArena();
  const later = new SharedArena();
  earlier[Symbol.dispose]();
  expect(() => later[Symbol.dispose]()).not.toThrow();
});

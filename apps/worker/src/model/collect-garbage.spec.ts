import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';

it('collects what nobody refers to any more, now', async () => {
  const gone = new WeakRef({});
  const kept = {};
  const held = new WeakRef(kept);
  await nextTurn();
  collectGarbage();
  expect(gone.deref()).toBeUndefined();
  expect(held.deref()).toBe(kept);
});

import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelCard } from '#contracts';
import { ScriptedWorker } from '../../test/support/scripted-worker.ts';
import { serveSide } from '../side.ts';

/**
 * A worker whose work costs no processor time: each request holds a slot for a drawn time. So the capacity is known, and
 * what is measured is the path in front of the slots.
 */
interface Settings {
  redisUrl: string;
  card: ModelCard;
  slots: number;
  /** Drawn evenly from half to one and a half times of it. */
  meanServiceMs: number;
}

/** mulberry32: the same service times in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Measures nothing: it only serves while others measure. */
serveSide<Settings, Record<string, never>, null>(async ({ redisUrl, card, slots, meanServiceMs }) => {
  const draw = random(11);
  await ScriptedWorker.start({
    redisUrl,
    card,
    slots,
    run: async (job) => {
      job.say('Yes');
      await sleep(meanServiceMs * (0.5 + draw()), undefined, { signal: job.cancelled }).catch(() => {});
      job.finish();
    },
  });
  return async () => null;
});

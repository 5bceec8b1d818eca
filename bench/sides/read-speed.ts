import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { serveSide } from '../side.ts';

/** Bytes a second that all cores together read from memory, each from memory of its own, far more than caches hold. */
interface Settings {
  bytesOfThread: number;
}

serveSide<Settings, Record<string, never>, number>(async ({ bytesOfThread }) => {
  const threads = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL('./reading-thread.ts', import.meta.url), { workerData: bytesOfThread }),
  );
  await Promise.all(threads.map((thread) => once(thread, 'online')));
  return async () => {
    const answers = threads.map(async (thread) => {
      const answer = once(thread, 'message');
      thread.postMessage('read');
      return (await answer)[0] as number;
    });
    // What one thread reads after the others have ended it reads alone, so the longest time bounds the speed from below.
    return (threads.length * bytesOfThread * 1_000) / Math.max(...(await Promise.all(answers)));
  };
});

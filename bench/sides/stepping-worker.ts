import type { ModelCard } from '#contracts';
import { type ScriptedJob, ScriptedWorker } from '../../test/support/scripted-worker.ts';
import { serveSide } from '../side.ts';

/** A worker with a real queue and relay and no engine: every request gets a token in every step, all in one message. */
interface Settings {
  redisUrl: string;
  card: ModelCard;
  slots: number;
}
interface Task {
  /** How many requests are waited for. */
  requests: number;
  /** Steps that they then get; none yet when 0. */
  steps: number;
  stepMs: number;
}

serveSide<Settings, Task, number>(async ({ redisUrl, card, slots }) => {
  let running: { job: ScriptedJob; over: () => void }[] = [];
  let joined = () => {};
  const worker = await ScriptedWorker.start({
    redisUrl,
    card,
    slots,
    run: (job) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      running.push({ job, over: resolve });
      joined();
      return promise;
    },
  });
  return async ({ requests, steps, stepMs }) => {
    while (running.length < requests) await new Promise<void>((resolve) => (joined = resolve));
    if (steps === 0) return 0;
    const began = performance.now();
    for (let step = 1; step <= steps; step++) {
      worker.publish(running.map(({ job }) => job.delta(' token')));
      const waitMs = began + step * stepMs - performance.now();
      await new Promise((resolve) => (waitMs > 0 ? setTimeout(resolve, waitMs) : setImmediate(resolve)));
    }
    const ended = running;
    running = [];
    for (const { job, over } of ended) {
      job.finish();
      over();
    }
    return ended.length * steps;
  };
});

/**
 * Begins a call at each of the times, whatever became of those before; settles when all have ended.
 * @param arrivalsMs from now, in order
 * @param over no call is begun after it
 * @returns how late each call was begun, in ms
 */
export async function openLoop(
  arrivalsMs: readonly number[],
  call: (request: number) => Promise<void>,
  over?: AbortSignal,
): Promise<number[]> {
  const beganMs = performance.now();
  const calls: Promise<void>[] = [];
  const lateMs: number[] = [];
  for (const [request, dueMs] of arrivalsMs.entries()) {
    const waitMs = beganMs + dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, over);
    if (over?.aborted) break;
    lateMs.push(Math.max(0, performance.now() - beganMs - dueMs));
    calls.push(call(request));
  }
  await Promise.all(calls);
  return lateMs;
}

function sleep(ms: number, over: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    clearTimeout(timer);
    over?.removeEventListener('abort', end);
    resolve();
  };
  const timer = setTimeout(end, ms);
  over?.addEventListener('abort', end, { once: true });
  return promise;
}

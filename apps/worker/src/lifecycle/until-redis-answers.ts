import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '#contracts';

const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;

/**
 * Repeats a call while Redis is away: the processes of a cluster start in any order.
 * @throws the last error after 30 s, and any other error at once
 */
export async function untilRedisAnswers<Result>(
  call: () => Promise<Result>,
  progress: (message: string) => void,
): Promise<Result> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const away = error instanceof MillraceError && error.code === 'unavailable';
      if (!away || performance.now() > giveUpAtMs) throw error;
      if (attempt === 1) progress('waiting for Redis');
      await sleep(PAUSE_MS);
    }
  }
}

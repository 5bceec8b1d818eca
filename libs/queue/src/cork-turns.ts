import type { Redis } from 'ioredis';

/** Makes the commands of one turn of the event loop leave as one write, which Redis reads and answers at once. */
export function corkTurns(redis: Redis): void {
  redis.on('connect', () => {
    const { stream } = redis;
    const write = stream.write.bind(stream);
    let corked = false;
    const uncork = (): void => {
      corked = false;
      stream.uncork();
    };
    stream.write = ((...args: Parameters<typeof write>) => {
      if (!corked) {
        corked = true;
        stream.cork();
        process.nextTick(uncork);
      }
      return write(...args);
    }) as typeof stream.write;
  });
}

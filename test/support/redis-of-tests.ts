import type { Redis } from 'ioredis';
import { afterAll, beforeEach } from 'vitest';
import { connectRedis } from '#queue';
import { RedisServer } from './redis-server.ts';

/** A Redis server for the tests of one file, empty before each of them, and a connection to it; both end behind the last. */
export async function redisOfTests(): Promise<{ readonly server: RedisServer; readonly redis: Redis }> {
  const server = await RedisServer.start();
  const redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  });
  return { server, redis };
}

import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis } from '#queue';
import { RedisServer } from '../support/redis-server.ts';

let server: RedisServer;
let redis: Redis & { tell(key: string, value: string): Promise<unknown> };

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer') as typeof redis;
  await new Promise((resolve) => redis.once('ready', resolve));
  redis.defineCommand('tell', {
    numberOfKeys: 1,
    lua: "if ARGV[1] == 'wrong' then return redis.error_reply('WRONG answer') end return {KEYS[1], ARGV[1]}",
  });
});

afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

/** How often Redis was sent the script whole, and by its hash. */
async function calls(): Promise<{ whole: number; hash: number }> {
  const stats = await redis.info('commandstats');
  const count = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  return { whole: count('eval'), hash: count('evalsha') };
}

it('sends a defined script whole once, then by its hash, and whole again to a server that has lost it', async () => {
  expect(await redis.tell('a', 'first')).toEqual(['a', 'first']);
  expect(await redis.tell('a', 'second')).toEqual(['a', 'second']);
  expect(await calls()).toEqual({ whole: 1, hash: 1 });
  await redis.script('FLUSH');
  expect(await Promise.all([redis.tell('b', 'third'), redis.tell('b', 'fourth')])).toEqual([
    ['b', 'third'],
    ['b', 'fourth'],
  ]);
  expect(await redis.tell('a', 'fifth')).toEqual(['a', 'fifth']);
  expect((await calls()).whole).toBeGreaterThan(1);
});

it('rejects with the error of a script', async () => {
  await expect(redis.tell('a', 'wrong')).rejects.toThrow('WRONG answer');
  expect(await redis.pipeline([['tell', 'a', 'piped']]).exec()).toEqual([[null, ['a', 'piped']]]);
});

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { connectRedis, KeyVersionError, migrateKeys, redisKeys } from '#queue';
import { RedisServer } from '../support/redis-server.ts';

let server: RedisServer;
let redis: ReturnType<typeof connectRedis>;
const ran: number[] = [];
const migrations = [2, 3].map((to) => ({
  to,
  run: async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    ran.push(to);
  },
}));

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'consumer');
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  ran.length = 0;
  await redis.flushall();
});

const stored = () => redis.get(redisKeys.keyVersion);

it('an empty Redis, and one that was used before there was a mark, get the mark of the first version', async () => {
  expect(await migrateKeys(redis)).toBe(1);
  expect(await stored()).toBe('1');
});

it('missing migrations run once and in order, however many replicas start together', async () => {
  await migrateKeys(redis);
  const others = Array.from({ length: 5 }, () => connectRedis(server.url, 'consumer'));
  expect(await Promise.all(others.map((each) => migrateKeys(each, 3, migrations)))).toEqual([3, 3, 3, 3, 3]);
  for (const each of others) each.disconnect();
  expect(ran).toEqual([2, 3]);
  expect(await stored()).toBe('3');
});

it('a migration that failed is run again by the next one who starts, and those before it are not', async () => {
  const failing = { to: 3, run: () => Promise.reject(new Error('half-way')) };
  await expect(migrateKeys(redis, 3, [migrations[0]!, failing])).rejects.toThrow();
  expect(await stored()).toBe('2');
  expect(await migrateKeys(redis, 3, migrations)).toBe(3);
  expect(ran).toEqual([2, 3]);
});

it('a replica restarts on keys of the next release, and refuses those of the one after it', async () => {
  await redis.set(redisKeys.keyVersion, 2);
  expect(await migrateKeys(redis, 1)).toBe(2);
  await redis.set(redisKeys.keyVersion, 3);
  const attempt = migrateKeys(redis, 1);
  await expect(attempt).rejects.toThrow(KeyVersionError);
  await expect(attempt).rejects.toThrow(/have version 3; this release reads up to 2/);
});

import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis, redisKeys } from '#queue';
import { ComputedPrompts } from '#requests';
import { RedisServer } from '../../support/redis-server.ts';

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer');
  await redis.ping().catch(() => new Promise((resolve) => redis.once('ready', resolve)));
});
afterAll(async () => {
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

/** A replica, and what it was told. */
function replica(replicaId: string) {
  const told: Record<string, number[]> = {};
  const onComputed = (workerId: string, blocks: readonly number[]) => {
    told[workerId] = [...(told[workerId] ?? []), ...blocks];
  };
  return { prompts: new ComputedPrompts(redis, { replicaId, onComputed }), told };
}

const listening = async () => ((await redis.pubsub('NUMSUB', redisKeys.computedPrompts)) as [string, number])[1];

it('tells every other replica where prompts are computed, several at once, and nothing where nothing is new', async () => {
  const [a, b, c] = [replica('a'), replica('b'), replica('c')];
  await expect.poll(listening).toBe(3);
  const watcher = redis.duplicate({ enableOfflineQueue: true });
  const messages: string[] = [];
  watcher.on('message', (_channel, text: string) => messages.push(text));
  await watcher.subscribe(redisKeys.computedPrompts);
  a.prompts.tell('w1', [1, 2 ** 53 - 1]);
  a.prompts.tell('w2', [3]);
  a.prompts.tell('w1', [4]);
  a.prompts.tell('w1', []);
  await expect.poll(() => [b.told, c.told]).toEqual(Array(2).fill({ w1: [1, 2 ** 53 - 1, 4], w2: [3] }));
  expect([a.told, messages.length]).toEqual([{}, 1]);
  b.prompts.tell('w1', [5]);
  await expect.poll(() => [a.told, c.told.w1]).toEqual([{ w1: [5] }, [1, 2 ** 53 - 1, 4, 5]]);
  watcher.disconnect();
  for (const { prompts } of [a, b, c]) prompts[Symbol.dispose]();
  await expect.poll(listening).toBe(0);
});

it('bounds a message, and passes over what it can not read', async () => {
  const [a, b] = [replica('a'), replica('b')];
  await expect.poll(listening).toBe(2);
  const many = Array.from({ length: 30_000 }, (_, index) => index);
  a.prompts.tell('w', many);
  a.prompts.tell('other', [1]);
  await expect.poll(() => b.told).toEqual({ w: many.slice(0, 20_000) });
  await redis.publish(redisKeys.computedPrompts, 'no JSON');
  await redis.publish(redisKeys.computedPrompts, JSON.stringify({ replicaId: 'x', computed: { w: ['text'] } }));
  a.prompts.tell('after', [7]);
  await expect.poll(() => b.told.after).toEqual([7]);
  expect(b.told.w).toHaveLength(20_000);
  for (const { prompts } of [a, b]) prompts[Symbol.dispose]();
});

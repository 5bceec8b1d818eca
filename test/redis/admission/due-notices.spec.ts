import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DueRequests } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { RedisServer } from '../../support/redis-server.ts';

const PATIENCE = { timeout: 20_000, interval: 100 };

let server: RedisServer;
let proxy: FaultProxy;
let redis: Redis;
beforeEach(async () => {
  server = await RedisServer.start();
  proxy = await FaultProxy.to(server.port);
  redis = connectRedis(`redis://127.0.0.1:${proxy.port}`, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
});
afterEach(async () => {
  redis.disconnect();
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function untilHeard(due: DueRequests, heard: () => number): Promise<void> {
  const before = heard();
  await vi.waitFor(async () => {
    await due.announce().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard()).toBeGreaterThan(before);
  }, PATIENCE);
}

describe('notices of requests that are due a seat', () => {
  it('are heard again after Redis was restarted', async () => {
    const due = new DueRequests(redis, 'm');
    let heard = 0;
    using _watch = due.watch(async () => {
      heard += 1;
      return 'done';
    });
    await untilHeard(due, () => heard);
    await server.kill();
    await server.restart();
    await untilHeard(due, () => heard);
  });

  it('are heard again when the network has forgotten the connection that waits for them', async () => {
    const due = new DueRequests(redis, 'm');
    let heard = 0;
    using _watch = due.watch(async () => {
      heard += 1;
      return 'done';
    });
    await untilHeard(due, () => heard);
    proxy.holdOne((links) => links - 1);
    // What Redis gave to the forgotten connection is lost; workers look by themselves.
    await untilHeard(due, () => heard);
  });

  it('do not stay when nobody listens', async () => {
    await new DueRequests(redis, 'm').announce();
    expect(await redis.llen(redisKeys.dueNotices('m'))).toBe(1);
    expect(await redis.pttl(redisKeys.dueNotices('m'))).toBeGreaterThan(0);
  });
});

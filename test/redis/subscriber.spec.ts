import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectRedis, subscriberOf } from '#queue';
import { FaultProxy } from '../support/fault-proxy.ts';
import { RedisServer } from '../support/redis-server.ts';

const CHANNEL = 'news';
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

/** Says it until somebody hears it. */
const untilHeard = () =>
  vi.waitFor(async () => expect(await redis.publish(CHANNEL, '').catch(() => 0)).toBeGreaterThan(0), PATIENCE);

describe('a subscriber', () => {
  it('listens again after Redis was away, and after the network has forgotten its connection', async () => {
    const subscriber = subscriberOf(redis);
    const heard = vi.fn();
    subscriber.on('message', heard);
    await subscriber.subscribe(CHANNEL);
    await untilHeard();
    await server.kill();
    await server.restart();
    await untilHeard();
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(2), PATIENCE);
    const ready = vi.fn();
    subscriber.on('ready', ready);
    for (let link = 0; link < proxy.links; link += 1) proxy.holdOne(() => link);
    await vi.waitFor(() => expect(ready).toHaveBeenCalled(), PATIENCE);
    await vi.waitFor(async () => {
      await redis.publish(CHANNEL, '').catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(heard.mock.calls.length).toBeGreaterThan(2);
    }, PATIENCE);
    subscriber.disconnect();
  });

  it('subscribes although the connection was lost before the answer came', async () => {
    const subscriber = subscriberOf(redis);
    await new Promise((resolve) => subscriber.once('ready', resolve));
    proxy.hold('out');
    const subscribed = subscriber.subscribe(CHANNEL);
    await new Promise((resolve) => setTimeout(resolve, 50));
    proxy.reset();
    proxy.heal();
    await subscribed;
    await untilHeard();
    subscriber.disconnect();
  });
});

import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  AdmissionGate,
  applyTenancy,
  exportTenancy,
  KeyStore,
  LedgerReader,
  ModelPlaces,
  TenantAccount,
  TenantDirectory,
  TenantStore,
  usageOf,
} from '#admission';
import { connectRedis, ModelQueue } from '#queue';
import { admissionRequest } from '../../support/admission-request.ts';
import { generateJob } from '../../support/generate-job.ts';
import { RedisServer } from '../../support/redis-server.ts';

/** One node that owns all slots: it refuses scripts and transactions whose keys lie in several of them. */
let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await RedisServer.start({ cluster: true });
  redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await vi.waitFor(async () => expect(await redis.cluster('INFO')).toContain('cluster_state:ok'), { timeout: 10_000 });
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

describe('on a Redis Cluster', () => {
  it('keys of several slots are refused in one script, so the next test means something', async () => {
    await expect(redis.eval('return 1', 2, '{a}', '{b}')).rejects.toThrow(/slot/i);
  });

  it('every operation of admission stays within one slot', async () => {
    const allowance = { credits: 100, period: 'month' as const };
    await new TenantStore(redis).put({ id: 'team-a', credits: 'metered', concurrency: 10, allowance });
    const { key, record } = await new KeyStore(redis).create({ tenantId: 'team-a' });
    const account = new TenantAccount(redis, 'team-a');
    await account.grant('first', 10_000_000);
    await account.setGranted(20_000_000);
    using directory = new TenantDirectory(redis);
    expect(await directory.byKey(key)).not.toBeNull();

    await using gate = new AdmissionGate({ redis });
    const decisions = [];
    for (let index = 0; index < 3; index += 1) {
      decisions.push(await gate.decide(admissionRequest({ credits: 'metered', concurrency: 10 })));
    }
    const [first, second, third] = decisions.map((decision) => {
      if (!decision.admitted) throw decision.error;
      return decision.handle;
    });
    const queue = new ModelQueue({ model: 'org/model:1', redis });
    await queue.add(generateJob({ model: 'org/model:1', requestId: first!.requestId }), first!.priority);
    const places = new ModelPlaces(redis, 'org/model:1');
    await places.confirm(first!.requestId, 1);
    await gate.heartbeat();
    await first!.started();
    expect(await places.rebase(0)).toBe(1);
    await first!.settle('completed', { promptTokens: 1, cachedTokens: 0, completionTokens: 1 });
    await second!.settle('cancelled', { promptTokens: 1, cachedTokens: 0, completionTokens: 0 });
    await third!.release();
    expect(await gate.sweep()).toBe(0);
    expect((await account.sums()).held).toBe(0);
    expect(await new LedgerReader(redis, 'g', 'm').read('team-a', 10)).toHaveLength(5);
    expect(await usageOf(redis, 'team-a', Date.now(), Date.now())).toHaveLength(1);
    await applyTenancy(redis, await exportTenancy(redis), { prune: true });
    expect(await new KeyStore(redis).revoke(record.keyId)).toBe(true);
    await queue.close();
  });
});

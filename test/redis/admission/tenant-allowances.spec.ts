import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applyTenancy, exportTenancy, microcreditsOf, TenantAccount, TenantRecord, TenantStore } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { RedisServer } from '../../support/redis-server.ts';

const MONTHLY = { credits: 100, period: 'month' as const };
const metered = { id: 'team-a', credits: 'metered' as const };

let server: RedisServer;
let redis: Redis;
let tenants: TenantStore;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.flushall();
  tenants = new TenantStore(redis);
});
afterEach(() => redis.disconnect());

const balance = async () => (await new TenantAccount(redis, 'team-a').sums()).balance;

describe('a tenant’s allowance', () => {
  it('is stored with it, shown in lists, and taken away by a record without it', async () => {
    expect((await tenants.put({ ...metered, allowance: MONTHLY })).allowance).toEqual(MONTHLY);
    expect((await tenants.get('team-a'))?.allowance).toEqual(MONTHLY);
    await tenants.put({ id: 'team-b' });
    expect((await tenants.list()).map(({ id, allowance }) => [id, allowance])).toEqual([
      ['team-a', MONTHLY],
      ['team-b', null],
    ]);
    expect(await balance()).toBe(microcreditsOf(100));
    await tenants.put(metered);
    expect((await tenants.get('team-a'))?.allowance).toBeNull();
    expect(await balance()).toBe(0);
  });

  it('is not in the record, which a release without allowances reads strictly', async () => {
    await tenants.put({ ...metered, allowance: MONTHLY });
    await tenants.change('team-a', { weight: 2, allowance: { credits: 5 } });
    const stored: unknown = JSON.parse((await redis.hget(redisKeys.tenants, 'team-a')) ?? '');
    expect(stored).toEqual(TenantRecord.parse({ ...metered, weight: 2 }));
  });

  it('is changed field by field, and left alone by changes of other fields', async () => {
    await tenants.put({ ...metered, allowance: MONTHLY });
    expect((await tenants.change('team-a', { weight: 2 })).allowance).toEqual(MONTHLY);
    expect((await tenants.change('team-a', { allowance: { credits: 40 } })).allowance).toEqual({
      ...MONTHLY,
      credits: 40,
    });
    expect(await balance()).toBe(microcreditsOf(40));
    expect((await tenants.change('team-a', { allowance: { period: 'day' } })).allowance?.period).toBe('day');
    expect((await tenants.change('team-a', { allowance: null, credits: 'unlimited' })).allowance).toBeNull();
    expect(await tenants.change('team-a', { credits: 'metered', allowance: MONTHLY })).toMatchObject({
      allowance: MONTHLY,
    });
  });

  it.each([
    [{ allowance: MONTHLY }, /^The tenant can not be stored: allowance: is for tenants whose credits are metered/],
    [{ ...metered, allowance: { credits: 0, period: 'day' } }, /allowance\.credits/],
    [{ ...metered, allowance: { credits: 1_000_000_001, period: 'day' } }, /allowance\.credits/],
    [{ ...metered, allowance: { credits: 1, period: 'year' } }, /allowance\.period.*"day"\|"week"\|"month"/],
    [{ ...metered, allowance: { credits: 1 } }, /allowance\.period/],
    [{ ...metered, allowance: 100 }, /allowance: /],
  ])('is refused where it can not be: %j', async (fields, message) => {
    await expect(tenants.put({ id: 'team-a', ...fields } as never)).rejects.toThrow(message);
    expect(await tenants.list()).toEqual([]);
    expect(await redis.exists(redisKeys.account('team-a'))).toBe(0);
  });

  it('keeps a tenant metered, and a part of one that is not there is refused', async () => {
    await tenants.put(metered);
    await expect(tenants.change('team-a', { allowance: { credits: 3 } })).rejects.toThrow(/allowance\.period/);
    await tenants.change('team-a', { allowance: MONTHLY });
    await expect(tenants.change('team-a', { credits: 'unlimited' })).rejects.toThrow(/allowance.*metered/);
    expect(await tenants.get('team-a')).toMatchObject({ credits: 'metered', allowance: MONTHLY });
    await expect(tenants.change('nobody', { allowance: MONTHLY })).rejects.toThrow(/no tenant "nobody"/);
  });

  it('ends with its tenant, and does not wait for the next of that id', async () => {
    await tenants.put({ ...metered, allowance: MONTHLY });
    await tenants.remove('team-a');
    expect(await balance()).toBe(0);
    await tenants.put(metered);
    expect(await balance()).toBe(0);
  });

  it('is in the document of tenants: said again it changes nothing, left out it is taken away', async () => {
    await tenants.put({ ...metered, allowance: MONTHLY });
    await new TenantAccount(redis, 'team-a').grant('first', microcreditsOf(7));
    const document = await exportTenancy(redis);
    expect(document.tenants[0]).toMatchObject({ id: 'team-a', credits: 7, allowance: MONTHLY });
    expect(await applyTenancy(redis, document)).toEqual([]);
    const [tenant] = document.tenants;
    const weekly = { ...document, tenants: [{ ...tenant, allowance: { credits: 20, period: 'week' } }] };
    const changes = await applyTenancy(redis, weekly);
    expect(changes.flatMap(({ fields }) => fields)).toEqual([
      { field: 'allowance.credits', from: 100, to: 20 },
      { field: 'allowance.period', from: 'month', to: 'week' },
    ]);
    expect(await balance()).toBe(microcreditsOf(27));
    const { allowance: _, ...without } = tenant!;
    await applyTenancy(redis, { ...document, tenants: [without] });
    expect((await tenants.get('team-a'))?.allowance).toBeNull();
    const unlimited = { ...document, tenants: [{ ...tenant, credits: 'unlimited' }] };
    await expect(applyTenancy(redis, unlimited)).rejects.toThrow(/tenants\.0\.allowance: is for tenants whose credits/);
  });

  it('adds up after changes that were made at once', async () => {
    await tenants.put({ ...metered, allowance: MONTHLY });
    const fields = Array.from({ length: 10 }, (_, index) =>
      index % 2 === 0 ? { allowance: { credits: 100 + index } } : { weight: index + 1 },
    );
    await Promise.all(fields.map((field) => tenants.change('team-a', field)));
    const { sums, allowance } = await new TenantAccount(redis, 'team-a').read();
    expect(sums.balance).toBe(allowance?.microcredits);
    expect(sums.renewed - sums.expired).toBe(sums.balance);
    expect((await tenants.get('team-a'))?.weight).toBeGreaterThan(1);
  });
});

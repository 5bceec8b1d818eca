import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LedgerReader, ledgerCsvLine, ledgerJsonLine, ledgerPage, TenantAccount, usageOf } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { ManualClock } from '../../support/manual-clock.ts';
import { RedisServer } from '../../support/redis-server.ts';

let server: RedisServer;
let redis: Redis;
let clock: ManualClock;
let account: TenantAccount;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.flushall();
  clock = new ManualClock(Date.UTC(2026, 0, 31, 23, 59, 59));
  account = new TenantAccount(redis, 'team-a', clock);
});
afterEach(() => redis.disconnect());

async function run(requestId: string, model: string, completionTokens: number, keyId = 'k'): Promise<void> {
  await account.reserve({
    requestId,
    requestsPerMinute: null,
    tokensPerMinute: null,
    concurrency: null,
    tokens: 100,
    holdMicrocredits: 1_000_000,
    unlimitedCredits: true,
    leaseMs: 10_000,
  });
  await account.settle({
    requestId,
    outcome: 'completed',
    model,
    keyId,
    promptTokens: 5,
    cachedTokens: 2,
    completionTokens,
    chargeMicrocredits: completionTokens * 1_000,
  });
}

describe('LedgerReader', () => {
  it('hands every entry to one member of a group, and again until it is confirmed', async () => {
    for (let index = 0; index < 5; index += 1) await run(`r${index}`, 'm', index);
    const one = new LedgerReader(redis, 'billing', 'one');
    const two = new LedgerReader(redis, 'billing', 'two');
    const first = await one.read('team-a', 3);
    const second = await two.read('team-a', 3);
    expect([...first, ...second].map((entry) => entry.requestId)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
    await one.confirm('team-a', first);
    expect((await redis.xpending(redisKeys.ledger('team-a'), 'billing'))[0]).toBe(2);
    expect(await new LedgerReader(redis, 'audit', 'one').read('team-a', 10)).toHaveLength(5);
  });

  it('writes lines for spreadsheets and programs, in which no field can become a formula', async () => {
    await run('=HYPERLINK("x")', 'org/model', 7);
    const [entry] = await new LedgerReader(redis, 'billing', 'one').read('team-a', 1);
    const { entryId } = entry!;
    const atMs = clock.nowMs();
    expect(ledgerCsvLine(entry!)).toBe(
      `${entryId},team-a,usage,"'=HYPERLINK(""x"")",${atMs},completed,org/model,k,5,2,7,0.007`,
    );
    expect(JSON.parse(ledgerJsonLine(entry!))).toMatchObject({ requestId: '=HYPERLINK("x")', completionTokens: 7 });
  });

  it('drops entries that are older than wanted', async () => {
    await run('r1', 'm', 1);
    expect(await new LedgerReader(redis, 'billing', 'one').trim('team-a', Date.now() + 60_000)).toBe(1);
    expect(await redis.xlen(redisKeys.ledger('team-a'))).toBe(0);
  });

  it('keeps a bounded number of entries', async () => {
    const stream = redisKeys.ledger('team-a');
    const pipeline = redis.pipeline();
    for (let index = 0; index < 12_000; index += 1) pipeline.xadd(stream, '*', 'kind', 'usage');
    await pipeline.exec();
    await run('last', 'm', 1);
    expect(await redis.xlen(stream)).toBeLessThan(10_200);
  });
});

describe('ledgerPage', () => {
  it('goes on after the last entry of the page before, and changes nothing for groups', async () => {
    for (let index = 0; index < 5; index += 1) await run(`r${index}`, 'm', index);
    const first = await ledgerPage(redis, 'team-a', null, 3);
    const second = await ledgerPage(redis, 'team-a', first.at(-1)!.entryId, 3);
    expect([...first, ...second].map((entry) => entry.requestId)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
    expect(await ledgerPage(redis, 'team-a', second.at(-1)!.entryId, 3)).toEqual([]);
    expect(await new LedgerReader(redis, 'billing', 'one').read('team-a', 10)).toHaveLength(5);
  });
});

describe('usageOf', () => {
  it('sums by day and model', async () => {
    await run('r1', 'org/model:1', 10);
    await run('r2', 'org/model:1', 20);
    clock.advance(2_000);
    await run('r3', 'org/model:1', 30);
    await run('r4', 'another', 40);
    const rows = await usageOf(redis, 'team-a', Date.UTC(2026, 0, 30), clock.nowMs());
    const keptMs = await redis.pttl(redisKeys.usage('team-a', '2026-01-31'));
    expect(keptMs).toBeGreaterThan(399 * 24 * 3_600_000);
    expect(keptMs).toBeLessThanOrEqual(400 * 24 * 3_600_000);
    const common = { promptTokens: 5, cachedTokens: 2, requests: 1 };
    const shared = { tenantId: 'team-a', keyId: null };
    expect(rows).toEqual([
      {
        ...shared,
        day: '2026-01-31',
        model: 'org/model:1',
        requests: 2,
        promptTokens: 10,
        cachedTokens: 4,
        completionTokens: 30,
        credits: 0.03,
      },
      { ...shared, ...common, day: '2026-02-01', model: 'another', completionTokens: 40, credits: 0.04 },
      { ...shared, ...common, day: '2026-02-01', model: 'org/model:1', completionTokens: 30, credits: 0.03 },
    ]);
  });

  it('sums by key as well, and all keys together are what the models have', async () => {
    await run('r1', 'org/model:1', 10, 'ci');
    await run('r2', 'org/model:1', 20, 'web');
    await run('r3', 'requests:odd', 30, 'web');
    const sums = async (by: 'model' | 'key') =>
      (await usageOf(redis, 'team-a', clock.nowMs(), clock.nowMs(), by)).map((row) => [
        row.keyId,
        row.model,
        row.requests,
        row.completionTokens,
      ]);
    expect(await sums('key')).toEqual([
      ['ci', 'org/model:1', 1, 10],
      ['web', 'org/model:1', 1, 20],
      ['web', 'requests:odd', 1, 30],
    ]);
    expect(await sums('model')).toEqual([
      [null, 'org/model:1', 2, 30],
      [null, 'requests:odd', 1, 30],
    ]);
  });
});

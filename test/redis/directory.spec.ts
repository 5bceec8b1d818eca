import { describe, expect, it, vi } from 'vitest';
import { JOB_VERSION, type ModelCard, packCard, type WorkerRecord } from '#contracts';
import { CardCorruptError, CardStore, redisKeys, WorkerDirectory } from '#queue';
import { WorkerRecordV1 } from '../support/previous-release/records-v1.ts';
import { redisOfTests } from '../support/redis-of-tests.ts';

const { redis } = await redisOfTests();
const card: ModelCard = {
  version: 1,
  model: 'm',
  tokenizerJson: JSON.stringify({ vocabulary: 'word '.repeat(20_000) }),
  chatTemplate: '{{ messages }}',
  templateTokens: { eos_token: '</s>', bos_token: '<s>' },
  contextLength: 128,
  vocabularySize: 512,
  eosTokenIds: [2],
  createdAt: 1,
  ownedBy: 'tests',
};

function record(overrides: Partial<WorkerRecord> = {}): WorkerRecord {
  const models = [{ model: 'm', cardHash: 'x', slots: 4, running: 0, waiting: 0 }];
  return { workerId: 'w1', state: 'ready', models, startedAtMs: 1, beatAtMs: Date.now(), ...overrides };
}

describe('CardStore', () => {
  it('stores a card compressed under the hash of its canonical JSON', async () => {
    const store = new CardStore(redis);
    const packed = await packCard(card);
    const { hash } = packed;
    expect((await packCard({ ...card, templateTokens: { bos_token: '<s>', eos_token: '</s>' } })).hash).toBe(hash);
    await store.put(packed);
    await store.put(packed);
    expect(await store.get(hash)).toEqual(card);
    expect(await redis.strlen(redisKeys.card(hash))).toBeLessThan(10_000);
    expect(await redis.ttl(redisKeys.card(hash))).toBeGreaterThan(0);
  });

  it('knows no card of an unknown hash and can not refresh it', async () => {
    const store = new CardStore(redis);
    expect(await store.get('0'.repeat(64))).toBeNull();
    expect(await store.refresh('0'.repeat(64))).toBe(false);
  });

  it('refuses a card that is not what its hash says', async () => {
    const store = new CardStore(redis);
    const packed = await packCard(card);
    const other = await packCard({ ...card, chatTemplate: 'evil' });
    const { hash } = packed;
    await store.put(packed);
    await store.put(other);
    await redis.copy(redisKeys.card(other.hash), redisKeys.card(hash), 'REPLACE');
    await expect(store.get(hash)).rejects.toBeInstanceOf(CardCorruptError);
    await redis.set(redisKeys.card(hash), 'not brotli');
    await expect(store.get(hash)).rejects.toThrow(/can not be unpacked/);
  });
});

describe('WorkerDirectory', () => {
  it('tells all models of a worker beside its record, which readers of the previous release take as it was', async () => {
    const directory = new WorkerDirectory(redis);
    const loading = {
      ...{ model: 'n', folder: '/models/n', state: 'loading' as const, slots: 4, threads: 2, running: 0, waiting: 0 },
      ...{ memoryBytes: 5, problem: null },
    };
    const holding = { models: [loading], memoryLimitBytes: null, rssBytes: 9 };
    await directory.publish(record({ holding }), 60_000);
    expect((await directory.workers())[0]?.holding).toEqual(holding);
    expect(WorkerRecordV1.parse(JSON.parse((await redis.get(redisKeys.workerRecord('w1'))) ?? ''))).toBeTruthy();
    // A worker of a later release, which says it in another way.
    const abilities = { startedAtMs: 1, jobVersion: 2, holding: { models: 7 } };
    await redis.set(redisKeys.workerAbilities('w1'), JSON.stringify(abilities));
    expect((await directory.workers())[0]).toMatchObject({ jobVersion: 2, workerId: 'w1' });
    expect((await directory.workers())[0]?.holding).toBeUndefined();
  });

  it('remembers since when a model is served, for every replica', async () => {
    const beforeS = Number((await redis.time())[0]);
    const first = await new WorkerDirectory(redis).servedSince('m');
    expect(first).toBeGreaterThanOrEqual(beforeS);
    expect(first).toBeLessThanOrEqual(Number((await redis.time())[0]));
    await redis.hset(redisKeys.servedSince, 'm', 1_700_000_000);
    expect(await new WorkerDirectory(redis).servedSince('m')).toBe(1_700_000_000);
  });

  it('shows what live workers serve, and forgets a worker whose heartbeat stops but not its model', async () => {
    const directory = new WorkerDirectory(redis);
    await directory.publish(record(), 60_000);
    await directory.publish(record({ workerId: 'w2' }), 100);
    expect(await directory.snapshot()).toEqual([
      { model: 'm', cardHash: 'x', workers: 2, slots: 8, fewestSlots: 4, state: 'ready', jobVersion: 2 },
    ]);
    await vi.waitFor(async () => expect(await directory.snapshot()).toMatchObject([{ workers: 1, slots: 4 }]));
    await directory.withdraw('w1');
    expect(await directory.snapshot()).toEqual([
      { model: 'm', cardHash: 'x', workers: 0, slots: 0, fewestSlots: 0, state: 'stopped', jobVersion: 2 },
    ]);
  });

  it('knows which jobs a worker reads, of a worker of the previous release that came back under the same id too', async () => {
    const directory = new WorkerDirectory(redis);
    await directory.publish(record(), 60_000);
    expect((await directory.workers())[0]?.jobVersion).toBe(JOB_VERSION);
    await redis.set(redisKeys.workerRecord('w1'), JSON.stringify(record({ startedAtMs: 2 })));
    expect((await directory.workers())[0]?.jobVersion).toBeUndefined();
    expect((await directory.snapshot())[0]?.jobVersion).toBe(1);
  });

  it('announces a new, changed or withdrawn worker at once, and not every heartbeat', async () => {
    const directory = new WorkerDirectory(redis);
    const listener = vi.fn();
    using _watch = directory.watch(listener);
    await vi.waitFor(() => expect(listener).toHaveBeenCalled());
    await vi.waitFor(async () => expect(await redis.pubsub('NUMSUB', redisKeys.workersChanged)).toContain(1));
    listener.mockClear();
    await directory.publish(record({ state: 'loading' }), 60_000);
    await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(1));
    await directory.publish(record({ state: 'loading', beatAtMs: Date.now() + 1 }), 60_000);
    await directory.publish(record({ state: 'ready' }), 60_000);
    await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(2));
    await directory.withdraw('w1');
    await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(3));
  });
});

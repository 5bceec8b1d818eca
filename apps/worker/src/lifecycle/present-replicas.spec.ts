import { describe, expect, it } from 'vitest';
import { keptOf, PresentReplicas } from './present-replicas.ts';

const replicas = (count: number) =>
  new Map(Array.from({ length: count }, (_, index) => [`api-${index}`, `10.0.0.${index}:7001`]));

describe('streams to replicas that are present', () => {
  it('are kept to all of a few, and to so many of many, which differ from worker to worker', () => {
    expect(keptOf(replicas(16), 'w1', 16)).toEqual(replicas(16));
    const [one, other] = [keptOf(replicas(100), 'w1', 16), keptOf(replicas(100), 'w2', 16)];
    expect([one.size, other.size]).toEqual([16, 16]);
    expect([...one.keys()].sort()).not.toEqual([...other.keys()].sort());
    for (const [replicaId, address] of one) expect(replicas(100).get(replicaId)).toBe(address);
  });

  it('stay where they are when a replica comes or goes, but for one', () => {
    const before = keptOf(replicas(100), 'w1', 16);
    for (const count of [99, 101]) {
      const after = keptOf(replicas(count), 'w1', 16);
      expect([...after.keys()].filter((replicaId) => !before.has(replicaId)).length).toBeLessThanOrEqual(1);
    }
  });

  it('are left as they are while nobody can tell which replicas there are', async () => {
    const named: ReadonlyMap<string, string>[] = [];
    let isAway = true;
    const present = new PresentReplicas({
      workerId: 'w1',
      addresses: async () => (isAway ? Promise.reject(new Error('Redis is away')) : replicas(2)),
      keepReady: (kept) => named.push(kept),
    });
    await present.look();
    expect(named).toEqual([]);
    isAway = false;
    await present.look();
    expect(named).toEqual([replicas(2)]);
  });
});

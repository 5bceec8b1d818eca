import { describe, expect, it } from 'vitest';
import { redisFitness } from './redis-fitness.ts';

const of = (...lines: string[]) =>
  redisFitness({ info: (async () => `# Server\r\n${lines.join('\r\n')}\r\n`) as never });

describe('redisFitness', () => {
  it('has nothing against a master of a known release that keeps what it is given', async () => {
    const good = of('redis_version:7.2.4', 'role:master', 'maxmemory_policy:noeviction', 'aof_enabled:1');
    expect(await good).toEqual({ refusals: [], risks: [] });
    expect(await redisFitness({ info: async () => Promise.reject(new Error('NOPERM')) })).toEqual({
      refusals: [],
      risks: [],
    });
  });

  it('refuses old releases and replicas, all at once', async () => {
    const { refusals } = await of('redis_version:6.2.14', 'role:slave');
    expect(refusals).toEqual([
      'it is Redis 6.2.14, and Millrace needs Redis or Valkey 7 or later',
      expect.stringContaining('it is a replica'),
    ]);
  });

  it('warns where balances may be thrown away or lost', async () => {
    const { refusals, risks } = await of('redis_version:8.0.0', 'maxmemory_policy:allkeys-lru', 'aof_enabled:0');
    expect([refusals, risks]).toEqual([
      [],
      [expect.stringContaining('set noeviction'), expect.stringContaining('set appendonly yes')],
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { redisTarget } from './redis-target.ts';

describe('redisTarget', () => {
  it('leaves the URL of one server as it is', () => {
    const url = 'rediss://user:pass@redis:6380/3';
    expect(redisTarget(url)).toEqual({ url });
  });

  it('takes the host for a Sentinel where a master is named', () => {
    const target = redisTarget('redis://u:p%40ss@a:26379/2?master=m&sentinels=b:1,c,[::1]:5&sentinelPassword=x');
    expect(target).toMatchObject({
      sentinel: {
        name: 'm',
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 1 },
          { host: 'c', port: 26379 },
          { host: '::1', port: 5 },
        ],
        username: 'u',
        password: 'p@ss',
        db: 2,
        sentinelPassword: 'x',
      },
    });
    expect(target).not.toHaveProperty('sentinel.tls');
    expect(redisTarget('rediss://a:1?master=m')).toMatchObject({ sentinel: { tls: {} } });
  });
});

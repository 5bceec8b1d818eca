import type { RedisOptions } from 'ioredis';

const DEFAULT_SENTINEL_PORT = 26_379;

/**
 * What a Redis URL stands for. With `?master=name` its host is a Sentinel, which is asked for the master of that name, as
 * are those in `sentinels=host:port,host:port`; user, password, database and TLS (`rediss:`) of the URL are the master's,
 * and `sentinelPassword` (with `sentinelUsername`) is what the Sentinels want.
 *
 * @example
 * redisTarget('redis://:secret@sentinel-a:26379/0?master=millrace&sentinels=sentinel-b:26379,sentinel-c:26379')
 */
export function redisTarget(url: string): { readonly url: string } | { readonly sentinel: RedisOptions } {
  const parsed = new URL(url);
  const { searchParams, protocol, username, password, pathname } = parsed;
  const master = searchParams.get('master');
  if (master === null) return { url };
  const others = (searchParams.get('sentinels') ?? '').split(',').filter((address) => address !== '');
  const [sentinelUsername, sentinelPassword] = [
    searchParams.get('sentinelUsername'),
    searchParams.get('sentinelPassword'),
  ];
  return {
    sentinel: {
      name: master,
      sentinels: [parsed.host, ...others].map(addressOf),
      ...(sentinelUsername !== null && { sentinelUsername }),
      ...(sentinelPassword !== null && { sentinelPassword }),
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
      ...(protocol === 'rediss:' && { tls: {}, enableTLSForSentinelMode: true }),
      // A Sentinel that does not answer must not hold up asking the next one.
      sentinelCommandTimeout: 1_000,
      sentinelRetryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt - 1, 10), 1_000),
    },
  };
}

function addressOf(address: string): { host: string; port: number } {
  const { hostname, port } = new URL(`redis://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? DEFAULT_SENTINEL_PORT : Number(port) };
}

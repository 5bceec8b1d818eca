import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { redisTargetOf } from '#config';
import { connectRedis } from '#queue';
import { freePort } from '../support/free-port.ts';
import { RedisServer } from '../support/redis-server.ts';

const folder = fileURLToPath(new URL('../fixtures/tls/', import.meta.url));
const PASSWORD = 'p%@ss:/?#+word';

it('Redis is reached with TLS, a private authority and a password that is kept apart, and not without them', async () => {
  const tlsPort = await freePort();
  await using redis = await RedisServer.start({
    arguments: [
      ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', '--tls-ca-cert-file', `${folder}ca.crt`],
      ...['--tls-cert-file', `${folder}server.crt`, '--tls-key-file', `${folder}server.key`],
    ],
  });
  const plain = connectRedis(redis.url, 'consumer');
  await plain.config('SET', 'requirepass', PASSWORD);
  plain.disconnect();

  const REDIS_URL = `rediss://127.0.0.1:${tlsPort}`;
  const reach = async (settings: { REDIS_URL: string; REDIS_PASSWORD?: string; REDIS_CA?: string }) => {
    const { url, ca } = redisTargetOf(settings);
    const errors: string[] = [];
    const client = connectRedis(url, 'producer', { ca, onError: (error) => errors.push(error.message) });
    try {
      for (let attempt = 0; attempt < 100 && client.status !== 'ready' && errors.length === 0; attempt += 1) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return errors[0] ?? (await client.ping());
    } catch (error) {
      return String(error);
    } finally {
      client.disconnect();
    }
  };
  const REDIS_CA = readFileSync(`${folder}ca.crt`, 'utf8');
  expect(await reach({ REDIS_URL, REDIS_PASSWORD: PASSWORD, REDIS_CA })).toBe('PONG');
  expect(await reach({ REDIS_URL, REDIS_CA })).toContain('NOAUTH');
  expect(await reach({ REDIS_URL, REDIS_PASSWORD: PASSWORD })).toMatch(/certificate|self.signed/);
});

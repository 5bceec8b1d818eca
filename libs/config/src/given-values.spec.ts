import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ApiSettings, readSettings, redisTargetOf, WorkerSettings } from '#config';

const folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, `secret-${Math.random()}`);
  writeFileSync(file, text);
  return file;
}

describe('a setting from a file', () => {
  it('is what the file holds, without the last line break', () => {
    const settings = readSettings(ApiSettings, {
      MILLRACE_DEV_KEY_FILE: fileWith('key-of-a-file\n'),
      REDIS_PASSWORD_FILE: fileWith('pass word\r\n'),
    });
    expect(settings.MILLRACE_DEV_KEY).toBe('key-of-a-file');
    expect(settings.REDIS_PASSWORD).toBe('pass word');
  });

  it('is refused when the variable is set too, the file can not be read or is empty, all named at once', () => {
    const both = { MILLRACE_DEV_KEY: 'key-in-variable', MILLRACE_DEV_KEY_FILE: fileWith('key-of-a-file') };
    const others = { MILLRACE_RELAY_TOKEN_FILE: join(folder, 'nowhere'), REDIS_URL_FILE: fileWith('\n') };
    const attempt = () => readSettings(ApiSettings, { ...both, ...others, MILLRACE_HTTP_PORT: 'x' });
    expect(attempt).toThrow(/4 problems/);
    expect(attempt).toThrow(/MILLRACE_DEV_KEY and MILLRACE_DEV_KEY_FILE are both set/);
    expect(attempt).toThrow(/MILLRACE_RELAY_TOKEN_FILE is ".*nowhere": the file can not be read \(ENOENT/);
    expect(attempt).toThrow(/REDIS_URL_FILE is ".*": the file is empty/);
    expect(attempt).toThrow(/MILLRACE_HTTP_PORT is "x"/);
  });

  it('does not appear in messages', () => {
    const attempt = () => readSettings(ApiSettings, { MILLRACE_DEV_KEY_FILE: fileWith('short') });
    expect(attempt).toThrow(/MILLRACE_DEV_KEY has an unusable value/);
    expect(attempt).not.toThrow(/short/);
  });
});

describe('the relay', () => {
  const api = { MILLRACE_DEV_KEY: 'key-of-8-or-more' };
  const pem = '-----BEGIN CERTIFICATE-----';

  it.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('needs no token on %s', (host) => {
    expect(() => readSettings(ApiSettings, { ...api, MILLRACE_RELAY_HOST: host })).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'api', '127.0.0.1.example'])(
    "needs a token or workers' certificates on %s",
    (host) => {
      const environment = { ...api, MILLRACE_RELAY_HOST: host };
      expect(() => readSettings(ApiSettings, environment)).toThrow(
        /MILLRACE_RELAY_TOKEN is not set: .*anybody could attach/,
      );
      const certificates = { MILLRACE_RELAY_CERT: pem, MILLRACE_RELAY_KEY: pem, MILLRACE_RELAY_CA: pem };
      expect(() => readSettings(ApiSettings, { ...environment, ...certificates })).not.toThrow();
      expect(() =>
        readSettings(ApiSettings, { ...environment, MILLRACE_RELAY_TOKEN: '0123456789abcdef' }),
      ).not.toThrow();
    },
  );

  it('needs certificate and key together, and an authority where a worker shows a certificate', () => {
    expect(() => readSettings(ApiSettings, { ...api, MILLRACE_RELAY_CERT: pem })).toThrow(
      /MILLRACE_RELAY_KEY is not set/,
    );
    expect(() => readSettings(ApiSettings, { ...api, MILLRACE_RELAY_KEY: pem })).toThrow(
      /MILLRACE_RELAY_CERT is not set/,
    );
    expect(() => readSettings(ApiSettings, { ...api, MILLRACE_RELAY_CA: pem })).toThrow(
      /MILLRACE_RELAY_CERT is not set/,
    );
    const worker = { MILLRACE_RELAY_CERT: pem, MILLRACE_RELAY_KEY: pem };
    expect(() => readSettings(WorkerSettings, worker)).toThrow(/MILLRACE_RELAY_CA is not set/);
    expect(() => readSettings(WorkerSettings, { MILLRACE_RELAY_CA: 'not one' })).toThrow(
      /needs certificates in PEM form/,
    );
  });
});

describe('redisTargetOf', () => {
  it('puts a password into the address so that it is read back as it was', () => {
    const password = 'p%@ss:/?#[]+ wörd';
    const { url } = redisTargetOf({ REDIS_URL: 'rediss://user@redis.example:6380/2', REDIS_PASSWORD: password });
    const parsed = new URL(url);
    expect([parsed.username, decodeURIComponent(parsed.password)]).toEqual(['user', password]);
    expect([parsed.protocol, parsed.host, parsed.pathname]).toEqual(['rediss:', 'redis.example:6380', '/2']);
  });

  it('leaves an address without a password of its own alone', () => {
    expect(redisTargetOf({ REDIS_URL: 'redis://:a@h:1' })).toEqual({ url: 'redis://:a@h:1', ca: undefined });
  });
});

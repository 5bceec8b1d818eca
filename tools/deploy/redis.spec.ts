import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { freePort } from '../../test/support/free-port.ts';
import { redisBinary } from '../../test/support/redis-server.ts';
import { render } from './kustomize/render.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const compose = parse(readFileSync(`${repository}docker-compose.yml`, 'utf8'), { merge: true });
const statefulSet = render(`${repository}k8s/overlays/staging`).find(({ kind }) => kind === 'StatefulSet');
const { template } = statefulSet!.spec as { template: { spec: { containers: { command: string[] }[] } } };
const PASSWORD = 'a-password-of-the-test';

describe.each([
  ['docker-compose.yml', (compose.services.redis.command as string[]).map((word) => word.replaceAll('$$', '$'))],
  ['k8s/components/redis', template.spec.containers[0]!.command],
])('Redis as %s starts it', (_, command) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-redis-command-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('wants the password, shows it in no command line, keeps what it was told, and ends by itself when asked to', async () => {
    const port = await freePort();
    writeFileSync(join(folder, 'password'), PASSWORD);
    const [program = '', ...rest] = command.map((word) =>
      word
        .replace('redis-server', redisBinary())
        .replace('--dir /data', `--dir ${folder} --port ${port} --bind 127.0.0.1`)
        .replace(/\/run\/secrets\/[\w/]*redis-password/, join(folder, 'password')),
    );
    const server = spawn(program, rest, { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => server.once('exit', resolve));
    const client = new Redis({ port, password: PASSWORD, retryStrategy: () => 50 });
    client.on('error', () => {});
    try {
      expect(await client.set('told', 'kept')).toBe('OK');
      expect((await client.config('GET', 'maxmemory-policy')) as string[]).toContain('noeviction');
      if (existsSync('/proc')) expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(PASSWORD);
      const stranger = new Redis({ port, lazyConnect: true, retryStrategy: () => null });
      stranger.on('error', () => {});
      await expect(stranger.get('told')).rejects.toThrow(/NOAUTH/);
      stranger.disconnect();
    } finally {
      client.disconnect();
      server.kill('SIGTERM');
    }
    // A shell before it would have kept the signal to itself.
    expect(await ended).toBe(0);
    expect(existsSync(join(folder, 'appendonlydir')) || existsSync(join(folder, 'appendonly.aof'))).toBe(true);
  });
});

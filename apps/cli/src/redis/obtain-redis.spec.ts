import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { obtainRedis } from './obtain-redis.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-path-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, script: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

function obtain(platform: NodeJS.Platform = 'linux') {
  return obtainRedis({ path: folder, platform, isRoot: false, onProgress: () => undefined });
}

describe('obtainRedis', () => {
  it('takes redis-server before valkey-server before Docker', async () => {
    const docker = program('docker', 'exit 0');
    expect(await obtain()).toEqual({ kind: 'docker', path: docker });
    const valkey = program('valkey-server', 'exit 0');
    expect(await obtain()).toEqual({ kind: 'server', path: valkey });
    const redis = program('redis-server', 'exit 0');
    expect(await obtain()).toEqual({ kind: 'server', path: redis });
  });

  it('does not count on a Docker client whose engine does not answer', async () => {
    program('docker', 'echo "Cannot connect to the Docker daemon" >&2; exit 1');
    await expect(obtain()).rejects.toThrow('Redis was not found');
  });

  it('names the command of this system when there is nothing to run', async () => {
    await expect(obtain('darwin')).rejects.toThrow('brew install redis');
    await expect(obtain()).rejects.toThrow("your system's package manager");
    program('apt-get', 'exit 0');
    await expect(obtain()).rejects.toThrow('sudo apt-get install redis-server');
  });

  it('ignores a file that cannot be executed', async () => {
    writeFileSync(join(folder, 'redis-server'), 'not a program', { mode: 0o644 });
    await expect(obtain()).rejects.toThrow('REDIS_URL');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliSettings } from '#config';
import { apiAccess } from './api-access.ts';
import { noteRunning } from './running-cluster.ts';

const KEPT = 'sk-millrace-kept';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-access-'));
  writeFileSync(join(folder, 'dev-key'), `${KEPT}\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const access = (settings: Record<string, string> = {}) =>
  apiAccess(CliSettings.parse({ MILLRACE_STATE_FOLDER: folder, ...settings }));

/** A note of an `up` that is another process, which lives until it is disposed of. */
async function running(key: 'given' | 'kept') {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)']);
  await once(child.stdout, 'data');
  const noted = noteRunning(folder, { url: 'http://127.0.0.1:4321', key });
  const file = join(folder, 'running.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), pid: child.pid }));
  return {
    async [Symbol.asyncDispose]() {
      noted[Symbol.dispose]();
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('apiAccess', () => {
  it('is what is given, else the address of the up that runs here, with the key that it keeps', async () => {
    expect(access()).toEqual({ url: 'http://127.0.0.1:8000', key: KEPT });
    await using _ = await running('kept');
    expect(access()).toEqual({ url: 'http://127.0.0.1:4321', key: KEPT });
    expect(access({ MILLRACE_URL: 'https://other.example/', MILLRACE_API_KEY: 'sk-other-key' })).toEqual({
      url: 'https://other.example',
      key: 'sk-other-key',
    });
  });

  it('says what to do where the key was given to up, and takes it from the same variable', async () => {
    await using _ = await running('given');
    expect(() => access()).toThrow(/was given its key by MILLRACE_DEV_KEY and writes it nowhere.*--key/);
    expect(access({ MILLRACE_DEV_KEY: 'sk-given-key' })).toEqual({ url: 'http://127.0.0.1:4321', key: 'sk-given-key' });
    expect(readFileSync(join(folder, 'running.json'), 'utf8')).not.toContain('sk-');
  });

  it('says that the up that runs here is not ready yet, before it has told its address', async () => {
    const up = await running('kept');
    const { pid } = JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')) as { pid: number };
    writeFileSync(join(folder, 'up.pid'), String(pid));
    expect(access().url).toBe('http://127.0.0.1:4321');
    rmSync(join(folder, 'running.json'));
    expect(() => access()).toThrow(new RegExp(`process ${pid}\\) is not ready yet: wait for its ready block`));
    expect(access({ MILLRACE_URL: 'http://127.0.0.1:5' }).url).toBe('http://127.0.0.1:5');
    await up.kill();
    expect(access().url).toBe('http://127.0.0.1:8000');
  });

  it('believes no note of an up that was killed', async () => {
    const up = await running('given');
    await up.kill();
    expect(access()).toEqual({ url: 'http://127.0.0.1:8000', key: KEPT });
  });
});

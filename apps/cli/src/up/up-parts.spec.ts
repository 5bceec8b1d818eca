import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatTunedFile, readSettings, UpSettings } from '#config';
import { devKey } from './dev-key.ts';
import { freePort, requireFreePort } from './ports.ts';
import { readyBlock, shellQuote } from './ready-block.ts';
import { RunLock } from './run-lock.ts';
import { planUp, tunedText } from './up-plan.ts';
import { requireWritableFolder } from './writable-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-up-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('devKey', () => {
  it('is the given key, else one that stays the same and only its owner can read', () => {
    expect(devKey(folder, 'given-key')).toBe('given-key');
    const made = devKey(folder, undefined);
    expect(made).toMatch(/^sk-millrace-/);
    expect(devKey(folder, undefined)).toBe(made);
    expect(statSync(join(folder, 'dev-key')).mode & 0o777).toBe(0o600);
  });
});

describe('requireFreePort', () => {
  it('names the variable, the port and the remedy when the port is taken', async () => {
    const server = createServer();
    const port = await freePort('127.0.0.1');
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await expect(requireFreePort('MILLRACE_HTTP_PORT', '127.0.0.1', port)).rejects.toThrow(
      new RegExp(`Port ${port} on 127.0.0.1 is in use[\\s\\S]*MILLRACE_HTTP_PORT=`),
    );
    await new Promise((resolve) => server.close(resolve));
    await requireFreePort('MILLRACE_HTTP_PORT', '127.0.0.1', port);
  });
});

describe('requireWritableFolder', () => {
  it('takes one that is there or can be made, and says why another can not be written', () => {
    const check = (name: string) => () => requireWritableFolder('MILLRACE_STATE_FOLDER', join(folder, name));
    check('to/be/made')();
    writeFileSync(join(folder, 'file'), '');
    expect(check('file')).toThrow(/file can not be written: .*file is no folder[\s\S]*MILLRACE_STATE_FOLDER/);
    expect(check('file/below')).toThrow(/is no folder/);
    expect(() => statSync(join(folder, 'to'))).toThrow('ENOENT');
  });
});

describe('RunLock', () => {
  it('keeps a second run out while the first lives, and takes over what a killed run left', () => {
    // The parent of this test process is a live Node process too.
    writeFileSync(join(folder, 'up.pid'), String(process.ppid));
    expect(() => RunLock.take(folder)).toThrow(`already running in this folder (process ${process.ppid})`);
    writeFileSync(join(folder, 'up.pid'), '999999999');
    RunLock.take(folder)[Symbol.dispose]();
    expect(() => statSync(join(folder, 'up.pid'))).toThrow('ENOENT');
  });
});

describe('planUp', () => {
  it('finds all models, and what was measured on this machine', async () => {
    const models = 'test/fixtures/models';
    const settings = (more = {}) =>
      readSettings(UpSettings, {
        ...{ MILLRACE_STATE_FOLDER: folder, MILLRACE_HTTP_PORT: '0', MILLRACE_MANAGEMENT_PORT: '0' },
        ...{ MILLRACE_MODEL: `./${models}/tiny-llama?slots=4,b=./${models}/tiny-qwen3`, ...more },
      });
    const bare = await planUp(settings());
    expect(bare.tuned).toBeNull();
    expect(bare.models).toBe(`${resolve(models)}/tiny-llama?slots=4,b=${resolve(models)}/tiny-qwen3`);
    const file = join(folder, 'tuned.env');
    writeFileSync(file, formatTunedFile({ MILLRACE_THREADS: '2' }, availableParallelism(), []));
    const { tuned } = await planUp(settings());
    expect(tuned && tunedText(tuned)).toBe(`${file} (threads 2)`);
    writeFileSync(file, 'MILLRACE_THREADS 2');
    await expect(planUp(settings())).rejects.toThrow(/tuned\.env.*is none of MILLRACE_THREADS/);
  });
});

describe('readyBlock', () => {
  it('holds a line that a shell takes as it is, whatever the key holds', () => {
    const key = `it's "a" $key`;
    expect(execFileSync('/bin/sh', ['-c', `printf %s ${shellQuote(key)}`], { encoding: 'utf8' })).toBe(key);
    const block = readyBlock({
      url: 'http://127.0.0.1:8000',
      key,
      keyGiven: true,
      models: ['tiny', 'other'],
      managementUrl: 'http://127.0.0.1:8001',
      redis: 'own',
      tuned: '/state/tuned.env (threads 2)',
      logFolder: '/logs',
      tookMs: 1_234,
    });
    expect(block).toContain('Tuned     /state/tuned.env (threads 2)');
    expect(block).toContain(`Chat      npx millrace chat --key ${shellQuote(key)}`);
    const line = block.split('\n').find((each) => each.startsWith('curl '))!;
    const words = execFileSync('/bin/sh', ['-c', line.replace(/^curl/, "printf '%s\\n'")], { encoding: 'utf8' }).split(
      '\n',
    );
    expect(words).toContain(`Authorization: Bearer ${key}`);
    expect(JSON.parse(words.find((word) => word.startsWith('{'))!)).toMatchObject({ model: 'tiny', temperature: 0 });
  });
});

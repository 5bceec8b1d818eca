import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StartError } from '../start-error.ts';
import { OrphanGuard } from './orphan-guard.ts';
import { SupervisedProcess } from './supervised-process.ts';

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/processes/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'millrace-supervise-'));
const logFile = join(folder, 'api.log');
const policy = { firstDelayMs: 20, longestDelayMs: 100, quickMs: 5_000, maxQuickDeaths: 3 };
let guard: OrphanGuard;
const started: SupervisedProcess[] = [];

beforeEach(() => {
  guard = OrphanGuard.start();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop(200)));
  guard[Symbol.dispose]();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function supervise(script: string, more: { notices?: string[]; onGiveUp?: (error: StartError) => void } = {}) {
  const supervised = new SupervisedProcess({
    name: 'api',
    entry: join(fixtures, 'scripted-child.mjs'),
    environment: { ...process.env, SCRIPT: script },
    logFile,
    guard,
    execArgv: [],
    restart: policy,
    onNotice: (message) => more.notices?.push(message),
    onGiveUp: more.onGiveUp ?? (() => undefined),
  });
  started.push(supervised);
  return supervised;
}

/** What has ended is not alive, also where nobody waits for it: a container's first process may not. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition() && Date.now() < deadline) await sleep(20);
  expect(condition()).toBe(true);
}

describe('SupervisedProcess', () => {
  it('resolves with what the process says when it is ready, and stops it on SIGTERM', async () => {
    const supervised = supervise('ready');
    expect(await supervised.start()).toMatchObject({ type: 'ready', url: 'http://127.0.0.1:1' });
    const pid = supervised.pid!;
    await supervised.stop(2_000);
    expect(supervised.state).toBe('stopped');
    expect(isAlive(pid)).toBe(false);
  });

  it('kills a process that ignores SIGTERM once its time is up', async () => {
    const supervised = supervise('ready,stubborn');
    await supervised.start();
    const pid = supervised.pid!;
    const startedAt = Date.now();
    await supervised.stop(300);
    expect(Date.now() - startedAt).toBeLessThan(2_000);
    expect(isAlive(pid)).toBe(false);
  });

  it('fails with the reason that the process reported, and does not restart it', async () => {
    const supervised = supervise('refuse');
    await expect(supervised.start()).rejects.toThrow(/api process could not start:\nport 8000 is taken/);
    expect(supervised.state).toBe('failed');
    expect(supervised.pid).toBeUndefined();
  });

  it('fails with the end of its error output when the process crashed without a word', async () => {
    await expect(supervise('crash').start()).rejects.toThrow('a fault in the start');
    expect(readFileSync(logFile, 'utf8')).toContain('a fault in the start');
  });

  it('starts a process again that was killed after it was ready', async () => {
    const notices: string[] = [];
    const supervised = supervise('ready', { notices });
    await supervised.start();
    const first = supervised.pid!;
    process.kill(first, 'SIGKILL');
    await until(() => notices.length === 2, 5_000);
    expect(notices).toEqual([
      expect.stringContaining('was ended by SIGKILL; restarting'),
      'The api process is ready again.',
    ]);
    expect(supervised.state).toBe('ready');
    expect(supervised.pid).not.toBe(first);
  });

  it('gives up after repeated quick deaths', async () => {
    const givenUp = Promise.withResolvers<StartError>();
    const supervised = supervise('ready,die-after=30', { onGiveUp: givenUp.resolve });
    await supervised.start();
    expect((await givenUp.promise).message).toMatch(/ended with exit code 3, 3 times in a row; giving up/);
    expect(supervised.state).toBe('failed');
  });

  it('leaves no process behind when the supervisor is killed, not even a deaf and stubborn one', async () => {
    const supervisor = spawn(
      process.execPath,
      ['--conditions=millrace-source', join(fixtures, 'supervisor.ts'), logFile],
      {
        env: { ...process.env, SCRIPT: 'ready,stubborn,deaf' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const pid = Number(
      await new Promise<string>((resolve) => supervisor.stdout.once('data', (data) => resolve(String(data)))),
    );
    expect(isAlive(pid)).toBe(true);
    supervisor.kill('SIGKILL');
    await until(() => !isAlive(pid), 6_000);
  });
});

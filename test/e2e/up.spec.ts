import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const model = join(repository, 'test/fixtures/models/tiny-llama');

let stateFolder: string;
let running: Up[] = [];
beforeEach(() => {
  stateFolder = mkdtempSync(join(tmpdir(), 'millrace-state-'));
});
afterEach(async () => {
  await Promise.all(running.map((up) => up.end()));
  running = [];
  rmSync(stateFolder, { recursive: true, force: true });
});

const BOOTSTRAP: [string, string] = [process.execPath, join(repository, 'tools/bootstrap/start.mjs')];

/** `npm start`, mostly without npm: the bootstrap, on the dist that `npm test` has built. */
class Up {
  readonly child: ChildProcess;
  readonly exitCode: Promise<number | null>;
  output = '';

  constructor(environment: Record<string, string> = {}, command: [string, string] = BOOTSTRAP) {
    this.child = spawn(command[0], [command[1]], {
      cwd: repository,
      env: {
        ...process.env,
        MILLRACE_STATE_FOLDER: stateFolder,
        MILLRACE_MODEL: model,
        MILLRACE_HTTP_PORT: '0',
        REDIS_URL: '',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (data) => (this.output += data));
    this.child.stderr?.on('data', (data) => (this.output += data));
    this.exitCode = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
    running.push(this);
  }

  async ready(): Promise<{ url: string; key: string; curl: string; pids: number[] }> {
    await until(() => this.output.includes('Ctrl-C stops everything') || this.child.exitCode !== null, 60_000);
    const find = (pattern: RegExp): string => {
      const found = pattern.exec(this.output)?.[1];
      if (found === undefined) throw new Error(`no ${pattern} in:\n${this.output}`);
      return found;
    };
    return {
      url: find(/^ +URL +(\S+)$/m),
      key: find(/^ +Key +(\S+)$/m),
      curl: find(/^(curl .*)$/m),
      pids: descendants(this.child.pid!),
    };
  }

  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    await this.exitCode;
  }
}

/** Every process below `pid`, with the command it runs. */
function descendants(pid: number): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    table.filter((row) => row[1] === parent).flatMap((row) => [row[0]!, ...below(row[0]!)]);
  return below(pid);
}

function command(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition() && Date.now() < deadline) await sleep(50);
}

const alive = (pids: number[]): number[] => pids.filter((pid) => command(pid) !== '');

describe('npm start', () => {
  it('prints a line that answers when pasted, refuses a second start, and leaves nothing after Ctrl-C', async () => {
    const up = new Up();
    const { url, key, curl, pids } = await up.ready();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const answer = JSON.parse(execFileSync('/bin/sh', ['-c', curl], { encoding: 'utf8' }));
    expect(answer.choices[0].message.content.length).toBeGreaterThan(0);
    expect(answer.usage.completion_tokens).toBeGreaterThan(0);
    const refused = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}x` } });
    expect(refused.status).toBe(401);
    expect(readFileSync(join(stateFolder, 'dev-key'), 'utf8').trim()).toBe(key);

    const second = new Up();
    expect(await second.exitCode).toBe(1);
    expect(second.output).toContain('already running in this folder');

    // CLI, guard, Redis, API, worker.
    expect(pids.length).toBeGreaterThanOrEqual(5);
    const stoppedAt = Date.now();
    up.child.kill('SIGINT');
    expect(await up.exitCode).toBe(0);
    expect(Date.now() - stoppedAt).toBeLessThan(5_000);
    await until(() => alive(pids).length === 0, 2_000);
    expect(alive(pids).map(command)).toEqual([]);
    expect(existsSync(join(stateFolder, 'up.pid'))).toBe(false);
  });

  it('answers with the shipped model, and streams it token by token to the openai client', async () => {
    const up = new Up({ MILLRACE_MODEL: 'smollm2-135m-instruct' });
    const { url, key, curl } = await up.ready();
    expect(
      JSON.parse(execFileSync('/bin/sh', ['-c', curl], { encoding: 'utf8' })).choices[0].message.content,
    ).toContain('Paris');
    const streamed = execFileSync('/bin/sh', ['-c', curl.replace('"temperature":0', '"temperature":0,"stream":true')], {
      encoding: 'utf8',
    });
    expect(streamed.trimEnd().endsWith('data: [DONE]')).toBe(true);
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
    const stream = await client.chat.completions.create({
      model: 'smollm2-135m-instruct',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      temperature: 0,
      stream: true,
    });
    const pieces: string[] = [];
    for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta.content ?? '');
    expect(pieces.join('')).toContain('Paris');
    expect(pieces.filter((piece) => piece !== '').length).toBeGreaterThan(4);
  });

  it('brings a killed worker and a killed API back on the same address', async () => {
    const up = new Up({ MILLRACE_DEV_KEY: 'key-of-the-operator' });
    const { curl, key, pids } = await up.ready();
    expect(key).toBe('key-of-the-operator');
    for (const name of ['worker', 'api']) {
      process.kill(pids.find((pid) => command(pid).includes(`/apps/${name}/`))!, 'SIGKILL');
      await until(() => up.output.includes(`The ${name} process is ready again`), 20_000);
      expect(up.output).toContain(`The ${name} process is ready again`);
    }
    let content: unknown;
    for (let attempt = 0; attempt < 50 && content === undefined; attempt += 1) {
      content = JSON.parse(execFileSync('/bin/sh', ['-c', curl], { encoding: 'utf8' })).choices?.[0].message.content;
      if (content === undefined) await sleep(100);
    }
    expect(content).toBeTypeOf('string');
  });

  it('leaves nothing when the supervisor itself is killed', async () => {
    const up = new Up();
    const { pids } = await up.ready();
    process.kill(pids.find((pid) => command(pid).includes('/apps/cli/'))!, 'SIGKILL');
    await until(() => alive(pids).length === 0, 8_000);
    expect(alive(pids).map(command)).toEqual([]);
    expect(await up.exitCode).toBe(137);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('leaves nothing when npm itself gets %s', async (signal) => {
    const up = new Up({}, ['npm', 'start']);
    const { pids } = await up.ready();
    const stoppedAt = Date.now();
    up.child.kill(signal);
    await until(() => alive(pids).length === 0, 5_000);
    expect(alive(pids).map(command)).toEqual([]);
    expect(Date.now() - stoppedAt).toBeLessThan(5_000);
  });

  it('says so when the port is taken, and starts nothing', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const up = new Up({ MILLRACE_HTTP_PORT: String(port) });
    expect(await up.exitCode).toBe(1);
    expect(up.output).toContain(`Port ${port} on 127.0.0.1 is in use`);
    expect(existsSync(join(stateFolder, 'redis'))).toBe(false);
    await new Promise((resolve) => server.close(resolve));
  });

  it('names the missing file of an incomplete model folder', async () => {
    const folder = join(stateFolder, 'model');
    cpSync(model, folder, { recursive: true });
    unlinkSync(join(folder, 'tokenizer.json'));
    const up = new Up({ MILLRACE_MODEL: folder });
    expect(await up.exitCode).toBe(1);
    expect(up.output).toContain('tokenizer.json');
    expect(existsSync(join(stateFolder, 'redis'))).toBe(false);
  });

  it('names a Redis that does not answer, and settings that are wrong', async () => {
    const lost = new Up({ REDIS_URL: 'redis://:secret-word@127.0.0.1:1' });
    expect(await lost.exitCode).toBe(1);
    expect(lost.output).toMatch(/Redis of REDIS_URL \(127\.0\.0\.1:1\) cannot be used: .*ECONNREFUSED/);
    expect(lost.output).not.toContain('secret-word');
    const wrong = new Up({ MILLRACE_HTTP_PORT: 'eight', MILLRACE_DEV_KEY: 'short', MILLRACE_SLOTS: '0' });
    expect(await wrong.exitCode).toBe(1);
    expect(wrong.output).toMatch(/3 problems:\n {2}MILLRACE_HTTP_PORT[\s\S]*MILLRACE_DEV_KEY[\s\S]*MILLRACE_SLOTS/);
    expect(existsSync(join(stateFolder, 'redis'))).toBe(false);
  });
});

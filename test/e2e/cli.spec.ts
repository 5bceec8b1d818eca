import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEST_KEY } from '../support/product-process.ts';
import { ScriptedApi } from '../support/scripted-api.ts';

const CLI = 'dist/apps/cli/src/main.js';
const run = promisify(execFile);
let cluster: ScriptedApi;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
  cluster = await ScriptedApi.start();
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** @returns what the command printed, as JSON where it printed any */
async function millrace(args: string[], environment: Record<string, string> = {}) {
  const { stdout } = await run(process.execPath, [CLI, ...args], {
    env: { PATH: process.env.PATH ?? '', MILLRACE_URL: cluster.url, MILLRACE_API_KEY: TEST_KEY, ...environment },
  });
  return stdout === '' ? null : JSON.parse(stdout);
}

describe('millrace tenants and keys', () => {
  it('make a tenant with credits and a key, and carry all of it to a file and back', async () => {
    await millrace(['tenants', 'set', 'team-a', '{"credits":"metered","weight":3}']);
    await millrace(['tenants', 'grant', 'team-a', '20', 'invoice-1']);
    const created = await millrace(['keys', 'create', 'team-a', '--note', 'ci', '--days', '30']);
    expect(created.key).toMatch(/^sk-mr-/);
    const file = join(folder, 'tenants.json');
    await millrace(['tenants', 'export', file]);
    expect(readFileSync(file, 'utf8')).not.toContain(created.key.slice(12));
    await millrace(['keys', 'revoke', created.record.keyId]);
    expect(await millrace(['keys', 'list', 'team-a'])).toEqual({ keys: [], has_more: false });
    await millrace(['tenants', 'import', file, '--prune']);
    expect((await millrace(['keys', 'list', 'team-a'])).keys).toMatchObject([{ note: 'ci', role: 'tenant' }]);
    expect(await millrace(['tenants', 'show', 'team-a'])).toMatchObject({ weight: 3, account: { balance: 20 } });
  });

  it('apply a YAML file, say before what it would change, and export the ledger', async () => {
    const made = await millrace(['keys', 'new'], { MILLRACE_URL: 'http://127.0.0.1:9' });
    const file = join(folder, 'tenants.yaml');
    const tenant = `{ id: team-y, weight: 4, credits: 7, keys: [{ keyId: ci, hash: ${made.hash}, prefix: ${made.prefix} }] }`;
    writeFileSync(file, `version: 1\ntenants:\n  - ${tenant}\n`);
    const planned = await millrace(['tenants', 'import', file, '--dry-run']);
    expect(planned.applied).toBe(false);
    expect(planned.changes).toMatchObject([
      { action: 'create', kind: 'tenant', id: 'team-y' },
      { action: 'create', kind: 'key', id: 'ci' },
    ]);
    expect((await millrace(['tenants', 'import', file])).changes).toEqual(planned.changes);
    expect((await millrace(['tenants', 'import', file])).changes).toEqual([]);
    const models = await fetch(`${cluster.url}/v1/models`, { headers: { authorization: `Bearer ${made.key}` } });
    expect(models.status).toBe(200);

    const usage = join(folder, 'usage.csv');
    expect((await millrace(['ledger', 'export', usage])).exported).toBeGreaterThan(0);
    expect(await millrace(['ledger', 'export', usage])).toEqual({ exported: 0 });
    const [header, ...entries] = readFileSync(usage, 'utf8').trim().split('\n');
    expect(header).toMatch(/^entryId,tenantId,kind/);
    expect(entries.filter((line) => line.includes(',team-y,grant,'))).toHaveLength(1);
    await millrace(['tenants', 'export', file]);
    expect(readFileSync(file, 'utf8')).toMatch(/^version: 1\nprices:/);
    const nothing = join(folder, 'nothing.yaml');
    writeFileSync(nothing, 'tenants: [');
    await expect(millrace(['tenants', 'import', nothing])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('can not be read as YAML or JSON'),
    });
  });

  it('have a look at the queues and workers', async () => {
    const { stdout } = await run(process.execPath, [CLI, 'top', '--once'], {
      env: { PATH: process.env.PATH ?? '', MILLRACE_URL: cluster.url, MILLRACE_API_KEY: TEST_KEY },
    });
    expect(stdout).toMatch(/^model +waiting .*\n(tiny.llama .*\n)?\nworker +state .*\nscripted-.*\n$/);
  });

  it('take numbers for numbers only: a typing error makes no key that never expires', async () => {
    await millrace(['tenants', 'set', 'team-n', '{}']);
    for (const days of ['abc', '0']) {
      const made = millrace(['keys', 'create', 'team-n', '--days', days]);
      await expect(made).rejects.toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Give days as a number above 0'),
      });
    }
    expect(await millrace(['keys', 'list', 'team-n'])).toEqual({ keys: [], has_more: false });
    const granted = millrace(['tenants', 'grant', 'team-n', '5,000', 'invoice-1']);
    await expect(granted).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("'5,000' is invalid") });
  });

  it('say what is wrong and exit with 1', async () => {
    const refused = millrace(['tenants', 'show', 'nobody']);
    await expect(refused).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('no tenant "nobody"') });
    const away = millrace(['tenants', 'list'], { MILLRACE_URL: 'http://127.0.0.1:9' });
    await expect(away).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('set MILLRACE_URL') });
    const keyless = millrace(['tenants', 'list'], { MILLRACE_API_KEY: '', MILLRACE_STATE_FOLDER: folder });
    await expect(keyless).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('MILLRACE_API_KEY') });
  });
});

describe('millrace bench replay', () => {
  const replay = async (lines: readonly object[], args: string[]) => {
    const file = join(folder, 'trace.jsonl');
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return millrace(['bench', 'replay', file, '--json', ...args]);
  };
  const traced = (timestamp: number, input_length: number, output_length: number, hash_ids: number[]) => ({
    ...{ timestamp, input_length, output_length, hash_ids },
  });

  it("sends a trace's requests in their lengths, and tells what became of each", async () => {
    cluster.script = async (job) => {
      if (job.job.stop.maxTokens === 7) return job.fail('engine_failed', 'It broke.');
      for (let token = 0; token < job.job.stop.maxTokens; token += 1) job.say(' a');
      job.finish();
    };
    const lines = [
      traced(0, 1_600, 40, [1, 2, 3, 4]),
      traced(20, 2_000, 60, [1, 2, 5, 6]),
      traced(40, 4_000, 400, [7]),
    ];
    const report = await replay(
      [...lines, traced(60, 800, 70, [8])],
      ['--scale', '0.1', '--speed', '2', '--tpot', '1000'],
    );
    expect(report).toMatchObject({
      trace: { format: 'Mooncake', requests: 4, empty: 0, cut: { prompts: 1, answers: 0 } },
      settings: { model: 'tiny/llama', scale: 0.1 },
      ...{ sent: 4, answered: 3, refused: {}, broken: {} },
      ...{ firstToken: { p50: expect.any(Number) }, queued: { p99: expect.any(Number) } },
      goodput: { requests: expect.any(Number) },
      tokens: { answer: 50 },
    });
    expect(JSON.stringify(report)).not.toContain(TEST_KEY);
  });

  it('names file, line, field and value of what it can not read, before it asks anybody', async () => {
    const broken = replay(
      [traced(0, 1_600, 40, []), { timestamp: 1, input_length: 'many' }],
      ['--url', 'http://127.0.0.1:9'],
    );
    await expect(broken).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/trace\.jsonl:2: "input_length" is "many", and has to be .*Mend the line/),
    });
  });
});

/** Whether `script` can give a program a terminal: not everywhere, a container may have none. */
const terminals = () =>
  process.platform === 'linux' && spawnSync('script', ['-qec', 'true', '/dev/null'], { input: '' }).status === 0;

describe('millrace chat', () => {
  /** Runs it with a prompt from elsewhere, which is no terminal. @returns all that can be seen of it from outside */
  async function chat(piped: string, args: string[] = [], key: string = TEST_KEY) {
    const child = spawn(process.execPath, [CLI, 'chat', ...args], {
      env: { PATH: process.env.PATH ?? '', MILLRACE_URL: cluster.url, MILLRACE_API_KEY: key },
    });
    const printed = { stdout: '', stderr: '' };
    child.stdout.on('data', (text) => (printed.stdout += text));
    child.stderr.on('data', (text) => (printed.stderr += text));
    child.stdin.end(piped);
    const [code] = (await once(child, 'close')) as [number];
    return { code, ...printed };
  }

  const answers = (...texts: string[]) => {
    cluster.script = async (job) => {
      for (const text of texts) job.say(text);
      job.finish();
    };
  };

  it('answers what is piped in with the answer alone, asked as its flags say', async () => {
    answers('He', 'llo');
    expect(await chat('Hi\n')).toEqual({ code: 0, stdout: 'Hello\n', stderr: '' });
    const short = cluster.lastJob.promptTokenIds.length;
    const sampling = '--temperature 0.5 --top-p 0.9 --top-k 40 --min-p 0.1 --seed 7 --repetition-penalty 1.1';
    const limits = '--presence-penalty 0.2 --frequency-penalty 0.3 --max-tokens 20 --stop END --reasoning-effort none';
    const flags = [...sampling.split(' '), ...limits.split(' '), '--system', 'Be brief.'];
    expect(await chat('Hi', [...flags, '--model', 'tiny/llama', 'and', 'more'])).toMatchObject({ code: 0, stderr: '' });
    expect(cluster.lastJob).toMatchObject({
      sampling: { temperature: 0.5, topP: 0.9, topK: 40, minP: 0.1, seed: 7, repetitionPenalty: 1.1 },
      stop: { maxTokens: 20, strings: ['END'] },
    });
    expect(cluster.lastJob.promptTokenIds.length).toBeGreaterThan(short);
  });

  it('says what is wrong and exits with 1; what came of an answer is printed', async () => {
    answers('Hello');
    const refused = (stderr: RegExp) => ({ code: 1, stdout: '', stderr: expect.stringMatching(stderr) });
    const [unserved, unknown, away, nothing] = await Promise.all([
      chat('Hi', ['--model', 'nope']),
      chat('Hi', ['--key', 'sk-wrong-key']),
      chat('Hi', ['--url', 'http://127.0.0.1:9']),
      chat(''),
    ]);
    expect(unserved).toEqual(refused(/"nope" does not exist.*"tiny\/llama".*--model/));
    expect(unknown).toEqual(refused(/--key or MILLRACE_API_KEY/));
    expect(away).toEqual(refused(/Start one \(npx millrace up\)/));
    expect(nothing).toEqual(refused(/nothing to ask/));
    cluster.script = async (job) => {
      if (job.job.epoch === 1) job.say('Hel');
      job.fail('engine_failed', 'The engine stopped.');
    };
    expect(await chat('Hi')).toMatchObject({ code: 1, stdout: 'Hel\n', stderr: expect.stringMatching(/\S/) });
  });

  it('says when a tenant without credits, or over its limit, may come back', async () => {
    answers('Hello');
    const admin = async (method: string, path: string, body: object) => {
      const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
      const response = await fetch(`${cluster.url}/admin/v1/${path}`, { method, headers, body: JSON.stringify(body) });
      return (await response.json()) as { key: string };
    };
    const keyOf = async (tenant: string, settings: object) => {
      await admin('PUT', `tenants/${tenant}`, settings);
      return (await admin('POST', `tenants/${tenant}/keys`, {})).key;
    };
    const limited = await keyOf('limited', { requestsPerMinute: 1 });
    const [poor, first] = await Promise.all([
      chat('Hi', [], await keyOf('poor', { credits: 'metered' })),
      chat('Hi', [], limited),
    ]);
    expect([poor.code, poor.stderr]).toEqual([1, expect.stringContaining('millrace tenants grant')]);
    expect(first).toEqual({ code: 0, stdout: 'Hello\n', stderr: '' });
    const second = await chat('Hi', [], limited);
    expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(/Try again in \d+\.\d s\./)]);
  });

  it.skipIf(!terminals())('is a conversation in a terminal, whose answers can be stopped', async () => {
    const child = spawn('script', ['-qec', `"${process.execPath}" ${CLI} chat`, '/dev/null'], {
      env: { PATH: process.env.PATH ?? '', TERM: 'xterm', MILLRACE_URL: cluster.url, MILLRACE_API_KEY: TEST_KEY },
    });
    let screen = '';
    child.stdout.on('data', (text) => (screen += text));
    const ended = once(child, 'close');
    const seen = async (text: string | RegExp) => {
      await expect.poll(() => screen).toMatch(text);
      screen = '';
    };
    cluster.script = async (job) => {
      job.say('Once upon');
      await once(job.cancelled, 'abort');
    };
    await seen(/tiny\/llama at .*> /s);
    child.stdin.write('A story\r');
    await seen('Once upon');
    child.stdin.write('\u0003');
    await seen(/stopped.*> /s);
    expect(cluster.worker.cancels).toContain(cluster.lastJob.requestId);
    const first = cluster.lastJob.promptTokenIds.length;
    answers(' a time');
    child.stdin.write('"""Go\ron"""\r');
    await seen(/ a time.*tokens, .*> /s);
    // Question, what came of the answer, and the next question.
    expect(cluster.lastJob.promptTokenIds.length).toBeGreaterThan(first + 10);
    child.stdin.write('\u0003');
    await seen('Ctrl-C again leaves');
    child.stdin.write('\u0003');
    expect(await ended).toEqual([0, null]);
  });
});

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { INSPECTABLE, inEngineThread } from '../support/inspector.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';

const run = promisify(execFile);
const folder = (name: string) => fileURLToPath(new URL(`../fixtures/models/${name}`, import.meta.url));
const LLAMA = folder('tiny-llama');
const QWEN = folder('tiny-qwen3');

/** Two fit, a third one does not: 150 MiB for the process, 102 for each with its weights and caches. */
const settings = {
  ...INSPECTABLE,
  MILLRACE_MODEL: `${LLAMA}?slots=6,org/qwen=${QWEN}`,
  MILLRACE_WORKER_ID: 'both',
  MILLRACE_SLOTS: '8',
  MILLRACE_PREFIX_CACHE_MB: '1',
  MILLRACE_MEMORY_LIMIT_MB: '420',
  MILLRACE_THREADS: '1',
};

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ modelFolder: LLAMA, worker: settings });
}, 120_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

async function admin(method: string, path: string, body?: unknown) {
  const response = await fetch(`${cluster.url}/admin/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as { error?: { code: string; message: string } } };
}

/** What it printed. */
async function millrace(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['dist/apps/cli/src/main.js', ...args], {
    env: { PATH: process.env.PATH ?? '', MILLRACE_URL: cluster.url, MILLRACE_API_KEY: TEST_KEY },
  });
  return stdout;
}

const ask = (model: string, more: object = {}) =>
  cluster.post({
    ...{ model, messages: [{ role: 'user', content: 'Tell me a story.' }], seed: 7, max_tokens: 60, temperature: 1 },
    ...more,
  });
async function answerOf(model: string, more: object = {}): Promise<string[]> {
  const response = await ask(model, more);
  const body = (await response.json()) as { choices?: { message: { content: string } }[] };
  if (body.choices === undefined) throw new Error(JSON.stringify(body));
  return body.choices.map(({ message }) => message.content);
}
/** Long enough that it is seen while it runs: all slots, with nearly all tokens that one holds. */
const LONG = { n: 6, max_tokens: 440, ignore_eos: true };

async function workersOf(model: string): Promise<number> {
  const response = await fetch(`${cluster.url}/v1/models/${encodeURIComponent(model)}`, {
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  return ((await response.json()) as { live_workers?: number }).live_workers ?? 0;
}
const served = (model: string, workers: number) =>
  vi.waitFor(async () => expect(await workersOf(model)).toBe(workers), { timeout: 20_000, interval: 50 });

describe('a worker with several models', () => {
  it('answers for all of them at once as workers with one do, and tells of each', { timeout: 90_000 }, async () => {
    const models = `llama-alone=${LLAMA}`;
    const other = `qwen-alone=${QWEN}`;
    const alone = await Promise.all([
      cluster.addWorker({ MILLRACE_MODEL: models, MILLRACE_WORKER_ID: 'a', MILLRACE_MEMORY_LIMIT_MB: '0' }),
      cluster.addWorker({ MILLRACE_MODEL: other, MILLRACE_WORKER_ID: 'b', MILLRACE_MEMORY_LIMIT_MB: '0' }),
    ]);
    await Promise.all([served('llama-alone', 1), served('qwen-alone', 1)]);
    const n = { n: 3 };
    const [llama, qwen, llamaAlone, qwenAlone] = await Promise.all([
      answerOf('tiny-llama', n),
      answerOf('org/qwen', n),
      answerOf('llama-alone', n),
      answerOf('qwen-alone', n),
    ]);
    expect(llama).toEqual(llamaAlone);
    expect(qwen).toEqual(qwenAlone);
    expect(llama).not.toEqual(qwen);
    for (const worker of alone) {
      cluster.takeOut(worker);
      expect(await worker.stop()).toBe(0);
    }

    const [worker] = cluster.workers;
    const metrics = await ScrapedMetrics.of(worker!.managementUrl);
    expect(metrics.sum('millrace:engine_slots', { model_name: 'tiny-llama' })).toBe(6);
    expect(metrics.sum('millrace:engine_slots', { model_name: 'org/qwen' })).toBe(8);
    expect(metrics.sum('millrace:jobs_total', { model_name: 'org/qwen', outcome: 'granted' })).toBe(1);
    // What a worker tells with its heartbeat is up to a second old.
    const shown = () => millrace('models', 'ps');
    await expect.poll(shown, { timeout: 10_000 }).toMatch(/^both +tiny-llama +ready +0\/6 /m);
    await expect.poll(shown, { timeout: 10_000 }).toMatch(/^both +org\/qwen +ready +0\/8 /m);
    expect(await shown()).toMatch(/^both: \d+ MiB in use of 420 MiB$/m);
  });

  it('refuses a model that does not fit, or that is none, and goes on', async () => {
    const third = { model: `third=${folder('tiny-qwen2')}` };
    const refused = await admin('POST', 'workers/both/models', third);
    expect(refused).toMatchObject({ status: 409, body: { error: { code: 'insufficient_memory' } } });
    expect(refused.body.error?.message).toMatch(
      /^The model "third" does not fit: it needs 10\d MiB .* taken of 420 MiB \(MILLRACE_MEMORY_LIMIT_MB\).* Unload another model/,
    );
    expect(await admin('POST', 'workers/both/models', { model: '/no/such/folder' })).toMatchObject({ status: 400 });
    expect(await admin('POST', 'workers/both/models', { model: 'x?slots=0' })).toMatchObject({ status: 400 });
    const same = await admin('POST', 'workers/both/models', { model: `tiny-llama=${QWEN}` });
    expect(same).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/There is a model/) } },
    });
    expect(await admin('POST', 'workers/nobody/models', third)).toMatchObject({ status: 404 });
    expect(await admin('DELETE', 'workers/both/models/third')).toMatchObject({ status: 404 });
    expect(await answerOf('tiny-llama')).toHaveLength(1);
  });

  it('loses the engine of one, whose requests go on with another thread, and the other hears nothing of it', {
    timeout: 90_000,
  }, async () => {
    const both = () => Promise.all([answerOf('tiny-llama', LONG), answerOf('org/qwen', LONG)]);
    const undisturbed = await both();
    const disturbed = both();
    const [worker] = cluster.workers;
    await inEngineThread(worker!, 'process.exit(7)');
    expect(await disturbed).toEqual(undisturbed);
    const replacements = async () => {
      const metrics = await ScrapedMetrics.of(worker!.managementUrl);
      const of = (model_name: string) => metrics.sum('millrace:engines_replaced_total', { model_name });
      return [of('tiny-llama'), of('org/qwen')].sort();
    };
    await expect.poll(replacements, { timeout: 20_000 }).toEqual([0, 1]);
    const ready = async () => (await fetch(`${worker!.managementUrl}/readyz`)).status;
    await expect.poll(ready, { timeout: 20_000 }).toBe(200);
  });

  it('unloads one: what runs of it ends whole, new requests are refused, and the other is not disturbed; loads it again', {
    timeout: 90_000,
  }, async () => {
    const [before, short, undisturbed] = await Promise.all([
      answerOf('tiny-llama', LONG),
      answerOf('tiny-llama'),
      answerOf('org/qwen', LONG),
    ]);
    const running = ask('tiny-llama', { ...LONG, stream: true });
    const others = answerOf('org/qwen', LONG);
    const stream = await running;
    expect(stream.status).toBe(200);
    const unloaded = await admin('DELETE', 'workers/both/models/tiny-llama');
    expect(unloaded).toEqual({ status: 202, body: { workerId: 'both', model: 'tiny-llama' } });
    await served('tiny-llama', 0);
    const refused = await ask('tiny-llama');
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'no_workers' } });
    expect(textsOf(await stream.text())).toEqual(before);
    expect(await others).toEqual(undisturbed);
    await vi.waitFor(async () => expect(await millrace('models', 'ps')).not.toContain('tiny-llama'), {
      timeout: 20_000,
    });

    expect(await millrace('models', 'load', `${LLAMA}?slots=3`)).toContain('tiny-llama is ready on both');
    await served('tiny-llama', 1);
    expect(await answerOf('tiny-llama')).toEqual(short);
    expect(await millrace('models', 'ps')).toMatch(/^both +tiny-llama +ready +0\/3 /m);
    expect(await millrace('models', 'unload', 'org/qwen')).toContain('org/qwen is gone from both');
    expect(await answerOf('tiny-llama')).toEqual(short);
  });
});

/** Of each choice of a stream that ended in order. */
function textsOf(events: string): string[] {
  const texts: string[] = [];
  expect(events.trim().endsWith('data: [DONE]')).toBe(true);
  for (const [, json = ''] of events.matchAll(/^data: (\{.*)$/gm)) {
    const { choices } = JSON.parse(json) as { choices: { index: number; delta: { content?: string } }[] };
    for (const { index, delta } of choices) texts[index] = (texts[index] ?? '') + (delta.content ?? '');
  }
  return texts;
}

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { evaluate, INSPECTABLE, inEngineThread } from '../support/inspector.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';
import { readTimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));

let cluster: Cluster;
let whole: readonly string[];

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    workers: 2,
    api: INSPECTABLE,
    worker: { ...INSPECTABLE, MILLRACE_SLOTS: '4', MILLRACE_THREADS: '1', MILLRACE_STEP_LIMIT_MS: '1000' },
  });
  whole = (await readTimedStream(await cluster.post(body))).events;
}, 120_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

const body = {
  model: MODEL,
  messages: [{ role: 'user', content: 'Tell me about rivers and mills.' }],
  stream: true,
  max_tokens: 300,
  temperature: 1,
  seed: 5,
  ignore_eos: true,
};

/** Four streams over both workers; after some events, something happens in the engine's thread of a busy one. */
async function disturb(expression: string): Promise<ProductProcess> {
  const busy = cluster.busyWorker();
  let faults: Promise<ProductProcess> | null = null;
  const streams = await Promise.all(
    Array.from({ length: 4 }, async () =>
      readTimedStream(await cluster.post(body), (count) => {
        if (count !== 20) return;
        faults ??= busy.then(async (worker) => {
          await inEngineThread(worker, expression);
          return worker;
        });
      }),
    ),
  );
  for (const { events } of streams) expect(events).toEqual(whole);
  return (await faults)!;
}

const readiness = async (worker: ProductProcess) => (await fetch(`${worker.managementUrl}/readyz`)).status;
const replaced = async (worker: ProductProcess) => (await worker.stats()).engine.replacedTotal;

describe('a worker whose engine', () => {
  it('crashes hands its requests over, goes on living, and serves again with another thread', async () => {
    const worker = await disturb('process.exit(7)');
    await expect.poll(() => replaced(worker), { timeout: 20_000 }).toBe(1);
    expect((await ScrapedMetrics.of(worker.managementUrl)).sum('millrace:engines_replaced_total')).toBe(1);
    await expect.poll(() => readiness(worker), { timeout: 20_000 }).toBe(200);
    // What it prints comes through a pipe.
    await expect.poll(() => worker.output, { timeout: 5_000 }).toContain('it exited with code 7');
  });

  it('hangs is found out by its silence, with the same end', async () => {
    const worker = await disturb('for (;;);');
    // It is ready until its silence has lasted too long.
    const said = () => worker.output;
    await expect.poll(said, { timeout: 25_000 }).toMatch(/it has ended no step for \d+ ms, and \d+ ms are allowed/);
    await expect.poll(() => readiness(worker), { timeout: 20_000 }).toBe(200);
  });

  it('gives the same answers with the thread that came', async () => {
    for (const worker of cluster.workers.slice(1)) await worker.stop('SIGKILL');
    expect((await readTimedStream(await cluster.post(body))).events).toEqual(whole);
  });
});

it('an error that nobody caught is the last line of a process, of level fatal, and ends it with code 1', async () => {
  for (const member of [cluster.workers[0]!, cluster.apis[0]!]) {
    await evaluate(member, "void setTimeout(() => { throw new Error('a wheel broke') })");
    expect((await member.exit).code).toBe(1);
    const fatal = () => member.output.split('\n').filter((line) => line.includes('"level":"fatal"'));
    await expect.poll(fatal, { timeout: 5_000 }).toHaveLength(1);
    const record = JSON.parse(fatal()[0]!);
    expect(record).toMatchObject({ name: member.app, err: { message: 'a wheel broke' } });
    expect(member.messages.at(-1)).toEqual({ type: 'failed', message: `${member.app}: a wheel broke` });
  }
});

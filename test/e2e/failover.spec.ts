import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobConsumer } from '#queue';
import { withoutCachedTokens } from '../support/cached-tokens.ts';
import { Cluster } from '../support/cluster.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { readTimedStream, type TimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const shippedFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));

/** The noise of a machine that does other work besides, on top of what is promised. */
const NOISE_MS = 1_500;
const MAX_GAP_MS = 1_500 + NOISE_MS;
/** A silent peer is found after 1.8 s; an idle worker asks for work every 2 s at the latest. */
const MAX_SILENT_GAP_MS = 1_800 + 2_000 + MAX_GAP_MS;

const gaps: Record<string, number> = {};

let cluster: Cluster;
/** Each kind's answer without any disturbance. */
const whole = new Map<string, readonly string[]>();

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    workers: 2,
    api: { MILLRACE_LOG_LEVEL: 'info' },
    worker: { MILLRACE_SLOTS: '16', MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1', MILLRACE_GRACE_MS: '1' },
  });
  for (const kind of Object.keys(KINDS)) whole.set(kind, (await streamed(kind)).events);
}, 60_000);
afterAll(async () => {
  process.stdout.write(`longest silence in ms: ${JSON.stringify(gaps)}\n`);
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);

const body = (more: object = {}) => ({
  model: MODEL,
  messages: [{ role: 'user', content: 'Tell me about rivers and mills.' }],
  stream: true,
  stream_options: { include_usage: true },
  max_tokens: 420,
  temperature: 0,
  ignore_eos: true,
  ...more,
});

const KINDS: Record<string, object> = {
  'greedy text': {},
  'seeded sampling with penalties and stop strings': {
    temperature: 0.9,
    top_p: 0.95,
    seed: 7,
    frequency_penalty: 0.3,
    stop: ['zzzz', 'qqqq'],
  },
  'three choices': { n: 3, temperature: 1, seed: 3 },
  'structured output': {
    temperature: 1,
    seed: 6,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'lines', schema: { type: 'array', items: { type: 'string', minLength: 9 }, minItems: 64 } },
    },
  },
  'two choices of tool calls': {
    n: 2,
    temperature: 1,
    seed: 8,
    max_tokens: 100,
    tools: [{ type: 'function', function: { name: 'note', parameters: { properties: { n: { type: 'string' } } } } }],
    tool_choice: 'required',
    parallel_tool_calls: true,
  },
  'log probabilities': { logprobs: true, top_logprobs: 3, temperature: 1, seed: 4 },
};

const streamed = async (kind: string, onEvent?: () => void): Promise<TimedStream> => {
  const response = await cluster.post(body(KINDS[kind]));
  expect(response.status).toBe(200);
  return readTimedStream(response, onEvent);
};

/** Events by the choice they are of: which choice's event of a step comes first is not promised. */
function byChoice(events: readonly string[]): Record<string, string[]> {
  return Object.groupBy(events, (event) => /"index":(\d+)/.exec(event)?.[1] ?? 'all') as Record<string, string[]>;
}

/** Whether the request of this id went on on another worker, by the API's log. */
const wentOn = (id: string): boolean =>
  cluster.api.output
    .split('\n')
    .some((line) => line.includes('"goes on"') && line.includes(id.replace(/^chatcmpl-/, '')));

/**
 * Streams of every kind, two at a time, over two workers, one of which something happens to once a quarter of all
 * events has come: all must be the undisturbed ones to the byte. Again until each of `kinds` was cut at least once.
 */
async function disturb(
  name: string,
  maxGapMs: number,
  kinds: readonly string[],
  act: (worker: ProductProcess) => Promise<void>,
): Promise<void> {
  const uncut = new Set(kinds);
  for (let round = 0; uncut.size > 0 && round < 8; round++) {
    while (cluster.workers.length < 2) await cluster.addWorker();
    const asked = Object.keys(KINDS).flatMap((kind) => [kind, kind]);
    const quarter = asked.reduce((sum, kind) => sum + (whole.get(kind)?.length ?? 0), 0) / 4;
    let events = 0;
    let acting: Promise<void> | null = null;
    const onEvent = () => {
      events += 1;
      if (events < quarter || acting !== null) return;
      const [worker] = cluster.workers.splice(0, 1);
      acting = act(worker!);
    };
    const streams = await Promise.all(asked.map((kind) => streamed(kind, onEvent)));
    await acting;
    for (const [index, kind] of asked.entries()) {
      const { id, gapMs, events: cut } = streams[index]!;
      expect(byChoice(cut), kind).toEqual(byChoice(whole.get(kind)!));
      expect(cut.slice(-2), kind).toEqual(whole.get(kind)!.slice(-2));
      if (!wentOn(id)) continue;
      uncut.delete(kind);
      gaps[`${name}, ${kind}`] = Math.max(gapMs, gaps[`${name}, ${kind}`] ?? 0);
      expect(gapMs).toBeLessThan(maxGapMs);
    }
  }
  expect([...uncut]).toEqual([]);
}

describe('streams over two workers', () => {
  it('are the undisturbed ones to the byte when a worker is killed', async () => {
    await disturb('kill -9', MAX_GAP_MS, Object.keys(KINDS), async (worker) => {
      await worker.stop('SIGKILL');
    });
  }, 60_000);

  it('go on without a word to the client when a worker drains', async () => {
    await disturb('SIGTERM', MAX_GAP_MS, ['greedy text'], async (worker) => {
      expect(await worker.stop('SIGTERM')).toBe(0);
    });
  }, 60_000);

  it('go on within the keepalive time when a worker hangs, which harms nobody when it wakes up', async () => {
    const hanging: ProductProcess[] = [];
    await disturb('SIGSTOP', MAX_SILENT_GAP_MS, ['greedy text'], async (worker) => {
      hanging.push(worker);
      worker.freeze();
    });
    for (const worker of hanging) {
      worker.thaw();
      await expect.poll(async () => (await worker.stats()).engine.freeSlots, { timeout: 5_000 }).toBe(16);
      cluster.workers.push(worker);
    }
    expect((await streamed('greedy text')).events).toEqual(whole.get('greedy text'));
  }, 60_000);
});

describe('a request whose worker is killed', () => {
  it('is answered whole when it is not streamed', async () => {
    const asked = body({ ...KINDS['three choices'], stream: false, stream_options: undefined });
    const answerOf = async (response: Response) => {
      const {
        id,
        created: _created,
        ...answer
      } = JSON.parse(withoutCachedTokens(await response.text())) as { id: string; created: number };
      return { id, answer };
    };
    const expected = await answerOf(await cluster.post(asked));
    for (let cuts = 0; cuts === 0; ) {
      while (cluster.workers.length < 2) await cluster.addWorker();
      const pending = Promise.all(Array.from({ length: 6 }, () => cluster.post(asked).then(answerOf)));
      const worker = await cluster.busyWorker();
      cluster.takeOut(worker);
      await worker.stop('SIGKILL');
      for (const { id, answer } of await pending) {
        expect(answer).toEqual(expected.answer);
        if (wentOn(id)) cuts += 1;
      }
    }
  }, 60_000);

  it('ends with an error that names it once it has ended its worker three times', async () => {
    let last = '[DONE]';
    for (let attempt = 0; last === '[DONE]' && attempt < 4; attempt++) {
      while (cluster.workers.length < 4) await cluster.addWorker();
      const posted = cluster.post(body({ n: 3, logprobs: true, top_logprobs: 20 }));
      const killing = (async () => {
        for (let killed = 0; killed < 3; killed++) {
          const worker = await cluster.busyWorker();
          cluster.takeOut(worker);
          await worker.stop('SIGKILL');
        }
      })().catch(() => {});
      last = (await readTimedStream(await posted)).events.at(-1) ?? '';
      await killing;
    }
    const { error } = JSON.parse(last);
    expect(error).toMatchObject({ code: 'attempts_exhausted', type: 'server_error' });
    expect(error.message).toMatch(/was tried 3 times/);
    const id = /Request (\S+) was/.exec(error.message)?.[1];
    expect(cluster.api.output).toContain(`"requestId":"${id}"`);
  }, 60_000);
});

const undisturbed = async (more: object) => readTimedStream(await cluster.post(body(more)));

describe('a job that nobody claims', () => {
  it('waits for the next worker when all are killed before they take it', async () => {
    const expected = await undisturbed({ max_tokens: 20 });
    for (const worker of cluster.workers) worker.freeze();
    const pending = undisturbed({ max_tokens: 20 });
    await sleep(200);
    for (const worker of cluster.workers.splice(0)) await worker.stop('SIGKILL');
    await cluster.addWorker();
    expect((await pending).events).toEqual(expected.events);
  });

  it('is queued again when who took it died before the claim', async () => {
    const expected = await undisturbed({ max_tokens: 20 });
    for (const worker of cluster.workers) worker.freeze();
    const taken = Promise.withResolvers<void>();
    const consumer = new JobConsumer({
      model: MODEL,
      redisUrl: cluster.redisUrl,
      concurrency: 1,
      lockMs: 30_000,
      run: () => {
        taken.resolve();
        consumer.pause();
        return new Promise(() => {});
      },
    });
    consumer.start();
    const beganAtMs = performance.now();
    const pending = undisturbed({ max_tokens: 20 });
    await taken.promise;
    for (const worker of cluster.workers) worker.thaw();
    expect((await pending).events).toEqual(expected.events);
    gaps['taken, never claimed'] = Math.round(performance.now() - beganAtMs);
    await consumer.close(0);
  });

  it('fails clearly when no worker comes back', async () => {
    await using lonely = await Cluster.start({ modelFolder, api: { MILLRACE_FAILOVER_WAIT_MS: '500' } });
    const [worker] = lonely.workers;
    const response = await lonely.post(body());
    const stream = await readTimedStream(response, (count) => {
      if (count === 20) worker!.child.kill('SIGKILL');
    });
    expect(JSON.parse(stream.events.at(-1) ?? '').error).toMatchObject({ code: 'worker_lost' });
    expect(stream.events.at(-1)).toMatch(/no other went on within 500 ms/);
  });
});

describe('the shipped model', () => {
  it('goes on with the very tokens it would have given', async () => {
    await using shipped = await Cluster.start({
      modelFolder: shippedFolder,
      workers: 2,
      worker: { MILLRACE_SLOTS: '2', MILLRACE_SLOT_TOKENS: '512' },
    });
    const asked = { ...body({ temperature: 0.8, seed: 5, max_tokens: 40 }), model: 'smollm2-135m-instruct' };
    const expected = await readTimedStream(await shipped.post(asked));
    const posted = shipped.post(asked);
    const busy = shipped.busyWorker();
    let killed: Promise<unknown> | null = null;
    const cut = await readTimedStream(await posted, (count) => {
      if (count === 15) killed = busy.then((worker) => worker.stop('SIGKILL'));
    });
    await killed;
    expect(cut.events).toEqual(expected.events);
    gaps['kill -9, shipped model'] = cut.gapMs;
    expect(cut.gapMs).toBeLessThan(MAX_GAP_MS + 2_000);
  }, 60_000);
});

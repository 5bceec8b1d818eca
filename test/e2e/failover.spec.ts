import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LedgerEntry } from '#admission';
import { JobConsumer } from '#queue';
import { withoutCachedTokens } from '../support/cached-tokens.ts';
import { Cluster } from '../support/cluster.ts';
import { type ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { readTimedStream, type TimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const shippedFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));

/** The noise of a machine that does other work besides, on top of what is promised. */
const NOISE_MS = 1_500;
const MAX_GAP_MS = 1_500 + NOISE_MS;
/** A silent peer is found after 1.8 s; an idle worker asks for work every 2 s at the latest. */
const MAX_SILENT_GAP_MS = 1_800 + 2_000 + MAX_GAP_MS;

/** Of each stream, so that all are in their middle. */
const EVENTS_BEFORE = 6;

const gaps: Record<string, number> = {};

let cluster: Cluster;
/** Each kind's answer without any disturbance. */
const whole = new Map<string, readonly string[]>();

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    workers: 2,
    faultProxies: true,
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

const NAME = { type: 'string', minLength: 100, maxLength: 200 };
const SAID = { type: 'object', properties: { a: { type: 'string', minLength: 30 } }, required: ['a'] };
const MILL = {
  type: 'object',
  properties: { name: NAME, sizes: { type: 'array', items: { enum: [100, 200, 300] }, minItems: 20, maxItems: 25 } },
  required: ['name', 'sizes'],
  additionalProperties: false,
};

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
  'JSON schema': {
    response_format: { type: 'json_schema', json_schema: { name: 'mill', strict: true, schema: MILL } },
    ignore_eos: false,
    temperature: 1,
    seed: 5,
  },
  'streamed tool call': {
    messages: [{ role: 'user', content: 'Go.' }],
    tools: [{ type: 'function', function: { name: 'f', parameters: SAID } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    ignore_eos: false,
    max_tokens: 80,
    temperature: 1,
    seed: 6,
  },
};

const streamed = async (kind: string, onEvent?: (count: number) => void): Promise<TimedStream> => {
  const response = await cluster.post(body(KINDS[kind]));
  expect(response.status, response.ok ? kind : await response.text()).toBe(200);
  return readTimedStream(response, onEvent);
};

/** Events by the choice they are of: which choice's event of a step comes first is not promised. */
function byChoice(events: readonly string[]): Record<string, string[]> {
  return Object.groupBy(events, (event) => /"index":(\d+)/.exec(event)?.[1] ?? 'all') as Record<string, string[]>;
}

/** Every settlement of the cluster's one tenant so far, by its request. */
async function settlements(at: Cluster): Promise<Map<string, LedgerEntry[]>> {
  const found = new Map<string, LedgerEntry[]>();
  for (let after: string | null = null; ; ) {
    const path = `/admin/v1/tenants/dev/ledger?count=1000${after === null ? '' : `&after=${after}`}`;
    const response = await fetch(`${at.url}${path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
    const { entries } = (await response.json()) as { entries: LedgerEntry[] };
    if (entries.length === 0) return found;
    for (const entry of entries) found.set(entry.requestId, [...(found.get(entry.requestId) ?? []), entry]);
    after = entries.at(-1)!.entryId;
  }
}

/** Each stream was settled once, at what its own last event says that it used. */
async function expectSettledOnce(at: Cluster, streams: readonly TimedStream[]): Promise<void> {
  let settled = await settlements(at);
  const missing = () => streams.filter(({ id }) => !settled.has(id.replace(/^chatcmpl-/, '')));
  // A stream does not wait for its settlement.
  for (let looks = 0; looks < 50 && missing().length > 0; looks++) {
    await sleep(100);
    settled = await settlements(at);
  }
  for (const { id, events } of streams) {
    const { usage } = JSON.parse(events.at(-2)!) as { usage: { prompt_tokens: number; completion_tokens: number } };
    const entries = settled.get(id.replace(/^chatcmpl-/, '')) ?? [];
    expect(
      entries.map(({ outcome, promptTokens, completionTokens }) => [outcome, promptTokens, completionTokens]),
    ).toEqual([['completed', usage.prompt_tokens, usage.completion_tokens]]);
  }
}

/** Whether the request of this id went on on another worker behind its first token, by the API's log. */
function wentOn(id: string, at: Cluster = cluster): boolean {
  const requestId = id.replace(/^chatcmpl-/, '');
  const lines = at.api.output.split('\n').filter((line) => line.includes('"goes on"') && line.includes(requestId));
  return lines.some((line) => /"tokens":[1-9]/.test(line));
}

/** One worker that takes everything, and one that sleeps until `wake`. */
async function alone(at: Cluster, model = MODEL): Promise<{ victim: ProductProcess; wake: () => void }> {
  while (at.workers.length < 2) await at.addWorker();
  const [victim, heir] = at.workers;
  heir!.freeze();
  // Prompts this short are offered to the two by turns: the replica finds that one does not answer, and does not wait for it later.
  for (let asked = 0; asked < 2; asked += 1) {
    const short = { ...body(), model, max_tokens: 1 };
    await readTimedStream(await at.post(short));
  }
  return { victim: victim!, wake: () => heir!.thaw() };
}

interface Disturbance {
  readonly at: Cluster;
  /** Each kind's events when nothing happens. */
  readonly expected: ReadonlyMap<string, readonly string[]>;
  readonly ask: (kind: string, onEvent: (count: number) => void) => Promise<TimedStream>;
  readonly maxGapMs: number;
  /** Before the streams are asked for. @returns what happens to them once all have begun */
  readonly prepare: () => Promise<() => Promise<void>>;
}

/** All streams must be the undisturbed ones to the byte. On a slow machine some end too early: again until each was cut. */
async function disturb(name: string, { at, expected, ask, maxGapMs, prepare }: Disturbance): Promise<void> {
  const kinds = [...expected.keys()];
  const uncut = new Set(kinds);
  for (let round = 0; uncut.size > 0 && round < 6; round++) {
    const act = await prepare();
    const counts = kinds.map(() => 0);
    let acting: Promise<void> | null = null;
    const onEvent = (index: number) => (count: number) => {
      counts[index] = count;
      if (counts.every((each) => each >= EVENTS_BEFORE)) acting ??= act();
    };
    const streams = await Promise.all(kinds.map((kind, index) => ask(kind, onEvent(index))));
    await acting;
    for (const [index, kind] of kinds.entries()) {
      const { id, gapMs, events: cut } = streams[index]!;
      expect(byChoice(cut), kind).toEqual(byChoice(expected.get(kind)!));
      expect(cut.slice(-2), kind).toEqual(expected.get(kind)!.slice(-2));
      if (!wentOn(id, at)) continue;
      uncut.delete(kind);
      gaps[`${name}, ${kind}`] = gapMs;
      expect(gapMs, kind).toBeLessThan(maxGapMs);
    }
    await expectSettledOnce(at, streams);
  }
  expect([...uncut]).toEqual([]);
}

describe('streams of every kind', () => {
  const all = { ask: streamed, expected: whole };

  it('are the undisturbed ones to the byte when their worker is killed', async () => {
    await disturb('kill -9', {
      ...all,
      at: cluster,
      maxGapMs: MAX_GAP_MS,
      prepare: async () => {
        const { victim, wake } = await alone(cluster);
        return async () => {
          wake();
          cluster.takeOut(victim);
          await victim.stop('SIGKILL');
        };
      },
    });
  }, 60_000);

  it('go on without a word to the client when their worker drains', async () => {
    await disturb('SIGTERM', {
      ...all,
      at: cluster,
      maxGapMs: MAX_GAP_MS,
      prepare: async () => {
        const { victim, wake } = await alone(cluster);
        return async () => {
          wake();
          cluster.takeOut(victim);
          expect(await victim.stop('SIGTERM')).toBe(0);
        };
      },
    });
  }, 60_000);

  it('go on within the keepalive time when their worker hangs, which harms nobody when it wakes up', async () => {
    let hanging: ProductProcess | null = null;
    const awake = async () => {
      hanging?.thaw();
      await expect.poll(async () => (await hanging?.stats())?.engine.freeSlots ?? 16, { timeout: 5_000 }).toBe(16);
    };
    await disturb('SIGSTOP', {
      ...all,
      at: cluster,
      maxGapMs: MAX_SILENT_GAP_MS,
      prepare: async () => {
        await awake();
        const { victim, wake } = await alone(cluster);
        return async () => {
          wake();
          hanging = victim;
          victim.freeze();
        };
      },
    });
    await awake();
    expect((await streamed('greedy text')).events).toEqual(whole.get('greedy text'));
  }, 60_000);

  it('go on within the keepalive time when the network forgets the connections of their workers', async () => {
    const proxy = cluster.relayProxyOf(cluster.api);
    await disturb('black hole', {
      ...all,
      at: cluster,
      maxGapMs: MAX_SILENT_GAP_MS,
      prepare: async () => async () => {
        // They stay up and say nothing any more; whoever dials anew gets through.
        for (let link = proxy.links - 1; link >= 0; link--) proxy.holdOne(() => link);
      },
    });
    proxy.heal();
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
    const environment = { ...process.env, MILLRACE_URL: cluster.url, MILLRACE_API_KEY: TEST_KEY };
    const listed = await promisify(execFile)(process.execPath, ['dist/apps/cli/src/main.js', 'requests', 'refused'], {
      env: environment,
    });
    const { refused } = JSON.parse(listed.stdout) as { refused: { lostIds: string[]; deliveredTokens: number }[] };
    expect(refused[0]).toMatchObject({ requestId: id, tenantId: 'dev', model: MODEL, lost: 'worker', lostAttempts: 3 });
    expect(new Set(refused[0]!.lostIds).size).toBe(3);
    // What was delivered of it is charged, once.
    const settled = () => settlements(cluster).then((all) => all.get(id ?? '')?.map(({ outcome }) => outcome));
    await expect.poll(settled, { timeout: 5_000 }).toEqual(['failed']);
    const [{ completionTokens }] = (await settlements(cluster)).get(id ?? '') as [LedgerEntry];
    expect(completionTokens).toBe(refused[0]!.deliveredTokens);
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
  it('goes on with the very tokens it would have given, in every kind of answer', async () => {
    await using shipped = await Cluster.start({
      modelFolder: shippedFolder,
      workers: 2,
      api: { MILLRACE_LOG_LEVEL: 'info' },
      worker: { MILLRACE_SLOTS: '12', MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1' },
    });
    const kinds = Object.keys(KINDS);
    const ask = async (kind: string, onEvent: (count: number) => void) => {
      const asked = { ...body({ ...KINDS[kind], max_tokens: 32 }), model: 'smollm2-135m-instruct' };
      return readTimedStream(await shipped.post(asked), onEvent);
    };
    const beganMs = performance.now();
    const begunMs: number[] = [];
    const begin = (count: number) => count === EVENTS_BEFORE && begunMs.push(performance.now() - beganMs);
    const answers = await Promise.all(kinds.map((kind) => ask(kind, begin)));
    // Prefill and replay of all of them, by a worker that does all at once.
    const replayMs = 2 * Math.max(...begunMs);
    const expected = new Map(kinds.map((kind, index) => [kind, answers[index]!.events]));
    await disturb('kill -9, shipped model', {
      at: shipped,
      expected,
      ask,
      maxGapMs: MAX_GAP_MS + replayMs,
      prepare: async () => {
        const { victim, wake } = await alone(shipped, 'smollm2-135m-instruct');
        return async () => {
          wake();
          shipped.takeOut(victim);
          await victim.stop('SIGKILL');
        };
      },
    });
  }, 120_000);
});

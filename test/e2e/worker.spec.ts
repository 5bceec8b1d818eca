import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type GenerateJob, GREEDY, relay } from '#contracts';
import { CardStore, connectRedis, ModelQueue, WorkerDirectory } from '#queue';
import { RelayServer } from '#relay';
import { ReplicaPresence } from '#requests';
import { generateJob } from '../support/generate-job.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import { ProductProcess } from '../support/product-process.ts';
import { RecordingSink } from '../support/recording-sink.ts';
import { RedisServer } from '../support/redis-server.ts';

const MODEL = 'tiny-llama';
const FOLDER = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
interface Prompt {
  readonly promptIds: number[];
  readonly generatedIds: number[];
}
const reference = JSON.parse(readFileSync(`${FOLDER}/reference.json`, 'utf8')) as { prompts: Prompt[] };
const prompts = reference.prompts;
const { FINISH_REASON_CANCELLED, FINISH_REASON_LENGTH } = relay.FinishReason;

let long: LengthenedModel;
let redisServer: RedisServer;
let redis: Redis;
let relayServer: RelayServer;
let queue: ModelQueue;
let requests = 0;

beforeAll(async () => {
  long = await lengthenedModel(FOLDER, 4_096);
  redisServer = await RedisServer.start();
  redis = connectRedis(redisServer.url, 'producer');
  queue = new ModelQueue({ model: MODEL, redis });
  relayServer = await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'api-1' });
});
afterAll(async () => {
  await queue.close();
  redis.disconnect();
  await relayServer.close(0);
  await redisServer[Symbol.asyncDispose]();
  await long[Symbol.asyncDispose]();
});

function settings(overrides: Record<string, string> = {}): Record<string, string> {
  return {
    REDIS_URL: redisServer.url,
    MILLRACE_MODEL: FOLDER,
    MILLRACE_SLOTS: '8',
    MILLRACE_SLOT_TOKENS: '512',
    MILLRACE_PREFILL_CHUNK: '32',
    MILLRACE_THREADS: '1',
    MILLRACE_GRACE_MS: '10000',
    ...overrides,
  };
}

/** A job that this test's relay waits for. */
async function submit(worker: ProductProcess, overrides: Partial<GenerateJob> = {}) {
  requests += 1;
  const requestId = `request-${requests}`;
  const cardHash = overrides.cardHash ?? (await worker.stats()).cardHash;
  const job = generateJob({
    requestId,
    model: MODEL,
    cardHash,
    relayAddress: relayServer.address,
    ...overrides,
  });
  const sink = new RecordingSink(job.choices);
  const subscription = relayServer.open(job.requestId, job.epoch, job.choices, sink);
  await queue.add(job);
  return { job, sink, subscription };
}

const greedy = (prompt: Prompt, maxTokens = prompt.generatedIds.length): Partial<GenerateJob> => ({
  promptTokenIds: prompt.promptIds,
  stop: { tokenIds: [], strings: [], maxTokens },
});
const endless = { stop: { tokenIds: [], strings: [], maxTokens: 500 } };

/** For answers that last long enough to be seen on any machine. */
const LONG_TOKENS = 3_500;
const lasting = { stop: { tokenIds: [], strings: [], maxTokens: LONG_TOKENS } };
const roomy = () => ({ MILLRACE_MODEL: long.folder, MILLRACE_SLOT_TOKENS: '4096' });

describe('a worker process', () => {
  let worker: ProductProcess;
  beforeAll(async () => {
    worker = await ProductProcess.start('worker', settings());
  });
  afterAll(() => worker[Symbol.asyncDispose]());

  it('publishes its card and itself, and answers its health routes', async () => {
    const served = await new WorkerDirectory(redis).snapshot();
    expect(served).toMatchObject([{ model: MODEL, workers: 1, slots: 8, state: 'ready' }]);
    const card = await new CardStore(redis).get(served[0]!.cardHash);
    expect(card).toMatchObject({ model: MODEL, contextLength: 512, vocabularySize: 384 });
    await vi.waitFor(async () => expect((await fetch(`${worker.managementUrl}/readyz`)).status).toBe(200), {
      timeout: 5_000,
    });
    expect((await fetch(`${worker.managementUrl}/healthz`)).status).toBe(200);
    expect(worker.messages.map(({ type }) => type)).toEqual(['progress', 'progress', 'ready']);
  });

  it('has a stream to a replica that says where it is, before any job names it', async () => {
    await using relayOfOther = await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'api-2' });
    const { address: relayAddress } = relayOfOther;
    await using present = new ReplicaPresence(redis, { replicaId: 'api-2', relayAddress, deadAfterMs: 60_000 });
    await present.beat();
    await vi.waitFor(() => expect(relayOfOther.stats().workers).toMatchObject([{ models: [MODEL], slots: 8 }]), {
      timeout: 10_000,
    });
  });

  it('generates the tokens of the reference, and sends log probabilities with the bytes of their tokens', async () => {
    const prompt = prompts[10]!;
    const { sink } = await submit(worker, { ...greedy(prompt), topLogprobs: 2 });
    await sink.ended;
    expect(sink.error).toBeNull();
    expect(sink.tokenIds[0]).toEqual(prompt.generatedIds);
    expect(sink.finishes).toMatchObject([{ reason: FINISH_REASON_LENGTH, completionTokens: 64 }]);
    expect(sink.logprobs).toHaveLength(64);
    expect(sink.logprobs.map(({ tokenId }) => tokenId)).toEqual(prompt.generatedIds);
    for (const { tokenId, logprob, tokenBytes, top } of sink.logprobs) {
      // Greedy: the chosen token is the most likely one.
      expect(top[0]).toEqual({ tokenId, logprob, tokenBytes });
    }
    expect(Buffer.concat(sink.logprobs.map(({ tokenBytes }) => tokenBytes)).toString()).toBe(sink.texts[0]);
  });

  it('never runs a job that nobody waits for', async () => {
    const before = await worker.stats();
    await queue.add(generateJob({ requestId: 'ghost', model: MODEL, relayAddress: relayServer.address }));
    await queue.add(generateJob({ requestId: 'nowhere', model: MODEL, relayAddress: '127.0.0.1:1' }));
    await vi.waitFor(async () => expect((await worker.stats()).jobs.denied).toBe(before.jobs.denied + 2), {
      timeout: 10_000,
    });
    const after = await worker.stats();
    expect(after.engine.stepsTotal).toBe(before.engine.stepsTotal);
    expect(await queue.depth()).toEqual({ waiting: 0, active: 0 });
  });

  it('tells the client of a job made for another card, and does not run it', async () => {
    const before = await worker.stats();
    const foreign = await submit(worker, { ...greedy(prompts[0]!), cardHash: 'other' });
    await foreign.sink.ended;
    expect(foreign.sink.error).toMatchObject({ code: 'unavailable' });
    expect((await worker.stats()).engine.stepsTotal).toBe(before.engine.stepsTotal);
  });

  it('leaves deadlines to the API replica, since its own clock may be another', async () => {
    const { sink } = await submit(worker, { ...greedy(prompts[0]!), deadlineMs: Date.now() - 3_600_000 });
    await sink.ended;
    expect(sink.tokenIds[0]).toEqual(prompts[0]!.generatedIds);
  });

  it('frees the slot of a cancelled request while it decodes', async () => {
    // Eight choices, so that it lasts long enough to be seen.
    const { sink, subscription } = await submit(worker, { promptTokenIds: [5, 6, 7], choices: 8, ...endless });
    await vi.waitFor(() => expect(sink.tokenIds[0]?.length).toBeGreaterThan(3), { interval: 2 });
    expect((await worker.stats()).engine.running).toBe(8);
    subscription.cancel('the client is gone');
    await sink.ended;
    expect(sink.finishes).toMatchObject(Array(8).fill({ reason: FINISH_REASON_CANCELLED }));
    const after = await worker.stats();
    expect(after.engine).toMatchObject({ running: 0, waiting: 0, freeSlots: 8 });
    const stepsAfterCancel = after.engine.stepsTotal;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await worker.stats()).engine.stepsTotal).toBe(stepsAfterCancel);
    await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 0 }));
  });

  it('runs 32 requests at once, each as if alone, in far fewer steps', async () => {
    const before = await worker.stats();
    const chosen = Array.from({ length: 32 }, (_, index) => prompts[index % prompts.length]!);
    const running = await Promise.all(chosen.map((prompt) => submit(worker, greedy(prompt))));
    await Promise.all(running.map(({ sink }) => sink.ended));
    running.forEach(({ sink }, index) => {
      expect(sink.error).toBeNull();
      expect(sink.tokenIds[0]).toEqual(chosen[index]!.generatedIds);
    });
    const after = await worker.stats();
    const decodedTokens = after.engine.decodedTokensTotal - before.engine.decodedTokensTotal;
    const decodeRuns = after.engine.decodeRunsTotal - before.engine.decodeRunsTotal;
    // On a loaded machine jobs come more slowly than this model answers them.
    expect(decodedTokens / decodeRuns).toBeGreaterThan(2);
    expect(after.engine.freeSlots).toBe(8);
  });

  it('gives a seeded request the same tokens alone and in company, for every choice', async () => {
    const sampling = { ...GREEDY, temperature: 1, topP: 0.9, seed: 7 };
    const wanted = { ...greedy(prompts[3]!, 24), sampling, choices: 3 };
    const alone = await submit(worker, wanted);
    await alone.sink.ended;
    const company = await Promise.all(prompts.slice(0, 5).map((prompt) => submit(worker, greedy(prompt))));
    const together = await submit(worker, wanted);
    await Promise.all([together, ...company].map(({ sink }) => sink.ended));
    expect(together.sink.tokenIds).toEqual(alone.sink.tokenIds);
    expect(new Set(alone.sink.tokenIds.map(String)).size).toBe(3);
  });
});

describe('a worker with one slot and small chunks', () => {
  let worker: ProductProcess;
  beforeAll(async () => {
    worker = await ProductProcess.start(
      'worker',
      settings({ ...roomy(), MILLRACE_SLOTS: '1', MILLRACE_PREFILL_CHUNK: '3' }),
    );
  });
  afterAll(() => worker[Symbol.asyncDispose]());

  it('stops a prefill between chunks when the client goes', async () => {
    const promptTokenIds = Array.from({ length: 3_000 }, (_, index) => 3 + (index % 300));
    const { sink, subscription } = await submit(worker, { promptTokenIds, ...endless });
    await vi.waitFor(() => expect(sink.grantedTo).not.toBeNull(), { interval: 1 });
    subscription.cancel('the client is gone');
    await sink.ended;
    const { engine } = await worker.stats();
    expect(sink.tokenIds).toEqual([]);
    expect(engine.prefilledTokensTotal).toBeLessThan(3_000);
    expect(engine.freeSlots).toBe(1);
  });

  it('takes no second job while its slot is held, and a queued job can be removed', async () => {
    const first = await submit(worker, { promptTokenIds: [4, 5, 6], ...lasting });
    await vi.waitFor(() => expect(first.sink.grantedTo).not.toBeNull(), { interval: 2 });
    const second = await submit(worker, greedy(prompts[0]!));
    const { granted } = (await worker.stats()).jobs;
    expect(await queue.remove(second.job.requestId, 1)).toBe(true);
    second.subscription[Symbol.dispose]();
    first.subscription.cancel('enough');
    await first.sink.ended;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await worker.stats()).jobs.granted).toBe(granted);
    expect(second.sink.grantedTo).toBeNull();
  });
});

describe('the life of a worker process', () => {
  it('finishes what runs on SIGTERM, leaves the rest in the queue, withdraws itself and exits with 0', async () => {
    await using worker = await ProductProcess.start(
      'worker',
      settings({ ...roomy(), MILLRACE_SLOTS: '1', MILLRACE_WORKER_ID: 'drained' }),
    );
    const first = await submit(worker, { promptTokenIds: [4, 5, 6], ...lasting });
    await vi.waitFor(() => expect(first.sink.tokenIds[0]?.length).toBeGreaterThan(0), { interval: 2 });
    const second = await submit(worker, greedy(prompts[0]!));
    worker.child.kill('SIGTERM');
    await first.sink.ended;
    expect(first.sink.error).toBeNull();
    expect(first.sink.tokenIds[0]).toHaveLength(LONG_TOKENS);
    expect(await worker.exit).toEqual({ code: 0, signal: null });
    expect(second.sink.grantedTo).toBeNull();
    expect(await queue.remove(second.job.requestId, 1)).toBe(true);
    const directory = new WorkerDirectory(redis);
    expect((await directory.workers()).map(({ workerId }) => workerId)).not.toContain('drained');
  });

  it('ends what still runs after the grace time with a clear error', async () => {
    await using worker = await ProductProcess.start('worker', settings({ MILLRACE_GRACE_MS: '1' }));
    // So many that none is over before the signal comes.
    const { sink } = await submit(worker, { promptTokenIds: [4, 5, 6], choices: 8, ...endless });
    await vi.waitFor(() => expect(sink.tokenIds[0]?.length).toBeGreaterThan(0), { interval: 2 });
    worker.child.kill('SIGINT');
    await sink.ended;
    expect(sink.error).toMatchObject({ code: 'worker_draining' });
    expect(await worker.exit).toEqual({ code: 0, signal: null });
  });

  it('keeps streaming while Redis is away, and serves again when Redis comes back with nothing in it', async () => {
    await using ownServer = await RedisServer.start();
    await using worker = await ProductProcess.start('worker', settings({ REDIS_URL: ownServer.url }));
    const connection = connectRedis(ownServer.url, 'producer');
    const ownQueue = new ModelQueue({ model: MODEL, redis: connection });
    const readiness = async () => (await fetch(`${worker.managementUrl}/readyz`)).status;
    const { cardHash } = await worker.stats();
    const run = async (requestId: string, overrides: Partial<GenerateJob>) => {
      const { choices = 1 } = overrides;
      const sink = new RecordingSink(choices);
      relayServer.open(requestId, 1, choices, sink);
      const relayAddress = relayServer.address;
      await ownQueue.add(generateJob({ requestId, model: MODEL, cardHash, relayAddress, ...overrides }));
      return sink;
    };

    const streaming = await run('during-outage', { promptTokenIds: [4, 5, 6], choices: 8, ...endless });
    await vi.waitFor(() => expect(streaming.tokenIds[0]?.length).toBeGreaterThan(0), { interval: 1 });
    await ownServer.kill();
    const atOutage = streaming.tokenIds[0]?.length ?? 0;
    await streaming.ended;
    expect(streaming.error).toBeNull();
    expect(streaming.tokenIds[0]).toHaveLength(500);
    expect(atOutage).toBeLessThan(500);
    await vi.waitFor(async () => expect(await readiness()).toBe(503), { timeout: 5_000 });
    expect((await fetch(`${worker.managementUrl}/healthz`)).status).toBe(200);

    await ownServer.restart();
    await vi.waitFor(async () => expect(await readiness()).toBe(200), { timeout: 15_000 });
    await vi.waitFor(async () => expect(await new CardStore(connection).get(cardHash)).not.toBeNull(), {
      timeout: 5_000,
    });
    const after = await run('after-outage', greedy(prompts[0]!));
    await after.ended;
    expect(after.tokenIds[0]).toEqual(prompts[0]!.generatedIds);
    await ownQueue.close();
    connection.disconnect();
  });

  it('goes when its supervisor goes', async () => {
    await using worker = await ProductProcess.start('worker', settings());
    worker.child.disconnect();
    expect(await worker.exit).toEqual({ code: 0, signal: null });
  });

  it('says on one line what keeps it from starting, to its supervisor too', async () => {
    await using noModel = ProductProcess.spawn('worker', settings({ MILLRACE_MODEL: '/nowhere/model' }));
    await using wrong = ProductProcess.spawn('worker', settings({ MILLRACE_SLOTS: 'many' }));
    expect((await noModel.exit).code).toBe(1);
    expect(noModel.output).toMatch(/millrace worker: .*\/nowhere\/model/);
    expect(noModel.messages.at(-1)).toMatchObject({ type: 'failed' });
    expect((await wrong.exit).code).toBe(1);
    expect(wrong.output).toMatch(/MILLRACE_SLOTS is "many"/);
  });
});

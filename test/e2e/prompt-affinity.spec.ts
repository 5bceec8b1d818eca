import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisKeys } from '#queue';
import { Cluster } from '../support/cluster.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const SLOTS = 2;
/** Of answers that hold their slots until the test ends them. */
const LONG = 8_000;

/** Some two hundred tokens, other ones for each number. */
const prompt = (number: number) =>
  Array.from({ length: 7 }, (_, index) => `mill ${number * 7 + index} stands by the river`).join(', ');

describe('a request that waits', () => {
  let long: LengthenedModel;
  let cluster: Cluster;
  let redis: Redis;
  beforeAll(async () => {
    long = await lengthenedModel(modelFolder, 8_192);
    cluster = await Cluster.start({
      modelFolder: long.folder,
      workers: 2,
      worker: { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '8192', MILLRACE_THREADS: '1' },
    });
    redis = new Redis(cluster.redisUrl);
  }, 60_000);
  afterAll(async () => {
    redis?.disconnect();
    await cluster?.[Symbol.asyncDispose]();
    await long?.[Symbol.asyncDispose]();
  });

  const ask = (content: string, fields: object = {}) =>
    cluster.post({ model: MODEL, messages: [{ role: 'user', content }], max_tokens: 4, ignore_eos: true, ...fields });
  const running = async () =>
    (await Promise.all(cluster.workers.map((worker) => worker.stats()))).map(({ engine }) => engine.running);
  const granted = async () =>
    (await Promise.all(cluster.workers.map((worker) => worker.stats()))).map(({ jobs }) => jobs.granted);

  /** A prompt for each worker that only that one has computed. */
  async function knownPrompts(): Promise<string[]> {
    const known: string[] = [];
    for (let number = 0; Object.keys(known).length < cluster.workers.length; number += 1) {
      const before = await granted();
      expect((await ask(prompt(number))).status).toBe(200);
      const after = await granted();
      known[after.findIndex((count, index) => count > before[index]!)] = prompt(number);
    }
    return known;
  }

  it('goes to the worker that has computed its prompt’s beginning, before those of its tenant that came earlier', async () => {
    const known = await knownPrompts();
    const streams: Response[] = [];
    while (streams.length < SLOTS * cluster.workers.length) {
      streams.push(await ask('long', { max_tokens: LONG, stream: true }));
    }
    await expect.poll(running).toEqual([SLOTS, SLOTS]);

    const answered: string[] = [];
    const answers: Promise<unknown>[] = [];
    for (const content of [...known, ...known.toReversed()]) {
      const answer = ask(content).then(async (response) => {
        const { usage } = (await response.json()) as { usage: { prompt_tokens_details: { cached_tokens: number } } };
        answered.push(content);
        return usage.prompt_tokens_details.cached_tokens;
      });
      answers.push(answer);
      await expect.poll(() => redis.zcard(redisKeys.prioritizedJobs(MODEL))).toBe(answers.length);
    }
    await streams[0]?.body?.cancel();
    const cached = await Promise.all(answers);
    const [mine, others] = [answered[0]!, known.find((content) => content !== answered[0])!];
    expect(answered).toEqual([mine, mine, others, others]);
    // The other's are computed anew, once.
    expect(cached.filter((tokens) => Number(tokens) > 100)).toHaveLength(3);
    const [first, second] = await running();
    // Whoever had a slot to give had computed the prompt that went first.
    expect(mine).toBe(known[first! < second! ? 0 : 1]);
    const { consumer } = await cluster.workers[first! < second! ? 0 : 1]!.stats();
    expect(consumer.broughtForwardTotal).toBeGreaterThan(0);
    const scraped = await Promise.all(cluster.workers.map(({ managementUrl }) => ScrapedMetrics.of(managementUrl)));
    expect(scraped.map((worker) => worker.sum('millrace:brought_forward_jobs_total'))).toContain(
      consumer.broughtForwardTotal,
    );
    for (const stream of streams.slice(1)) await stream.body?.cancel();
    expect(await redis.hlen(redisKeys.waiters(MODEL))).toBe(0);
  }, 60_000);
});

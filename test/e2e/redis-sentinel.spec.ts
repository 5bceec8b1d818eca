import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { SentinelRedis } from '../support/sentinel-redis.ts';
import { readTimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));

describe('a Redis whose Sentinel makes a replica the master', () => {
  it('serves on: a queued request that the replica never saw is queued again, and new ones are answered', async () => {
    await using redis = await SentinelRedis.start();
    await using api = await ProductProcess.start('api', { REDIS_URL: redis.url });
    await using worker = await ProductProcess.start('worker', {
      REDIS_URL: redis.url,
      MILLRACE_MODEL: modelFolder,
      MILLRACE_SLOTS: '4',
      MILLRACE_THREADS: '1',
    });
    const ask = () =>
      fetch(`${api.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: MODEL,
          messages: [{ role: 'user', content: 'Tell me about rivers.' }],
          stream: true,
          temperature: 0,
          max_tokens: 40,
        }),
      });
    const { events } = await readTimedStream(await ask());

    worker.freeze();
    redis.stopReplicating();
    const queued = ask().then((response) => readTimedStream(response));
    await sleep(500);
    await redis.failOver();
    worker.thaw();
    expect((await queued).events).toEqual(events);

    await expect
      .poll(async () => (await fetch(`${worker.managementUrl}/readyz`)).status, { timeout: 15_000 })
      .toBe(200);
    await expect.poll(async () => (await ask()).status, { timeout: 15_000 }).toBe(200);
    expect((await readTimedStream(await ask())).events).toEqual(events);
  }, 60_000);
});

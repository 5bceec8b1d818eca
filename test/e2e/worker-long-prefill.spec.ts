import { describe, expect, it } from 'vitest';
import { connectRedis, ModelQueue } from '#queue';
import { RelayServer } from '#relay';
import { generateJob } from '../support/generate-job.ts';
import { ProductProcess } from '../support/product-process.ts';
import { RecordingSink } from '../support/recording-sink.ts';
import { RedisServer } from '../support/redis-server.ts';

const MODEL = 'smollm2-135m-instruct';
const LOCK_MS = 2_000;
const PROMPT_TOKENS = 2_000;
/** An idle worker's p99 above this means that other processes hold the cores; the measurement waits for them, a while. */
const QUIET_P99_MS = 5;
const QUIET_ATTEMPTS = 10;

async function untilMachineIsQuiet(worker: ProductProcess): Promise<void> {
  for (let attempt = 0; attempt < QUIET_ATTEMPTS; attempt += 1) {
    await worker.stats('?window=restart');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    if ((await worker.stats()).eventLoopDelay.p99Ms < QUIET_P99_MS) return;
  }
}

describe('a worker during a long prefill', () => {
  it('renews locks of 2 s and keeps its event loop free while prompts of 2,000 tokens are each one native run', async () => {
    await using redisServer = await RedisServer.start();
    await using relayServer = await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'api-1' });
    await using worker = await ProductProcess.start('worker', {
      REDIS_URL: redisServer.url,
      MILLRACE_MODEL: MODEL,
      MILLRACE_SLOTS: '2',
      MILLRACE_SLOT_TOKENS: '2048',
      // The whole prompt is one run, which the engine's thread can not leave in between.
      MILLRACE_PREFILL_CHUNK: '2048',
      MILLRACE_DECODE_STRETCH: '0',
      MILLRACE_PREFIX_CACHE_MB: '0',
      MILLRACE_JOB_LOCK_MS: String(LOCK_MS),
    });
    const redis = connectRedis(redisServer.url, 'producer');
    const queue = new ModelQueue({ model: MODEL, redis });
    await untilMachineIsQuiet(worker);
    const { cardHash } = await worker.stats('?window=restart');

    let heldMs = 0;
    let runMs = 0;
    // Until the last job was held for longer than its lock lasts; a fast machine needs more prefills for that.
    for (let count = 1; heldMs <= LOCK_MS && count <= 2; count += 1) {
      const sinks = Array.from({ length: 2 * count }, () => new RecordingSink());
      const startMs = performance.now();
      for (const [index, sink] of sinks.entries()) {
        const requestId = `long-${count}-${index}`;
        relayServer.open(requestId, 1, 1, sink);
        await queue.add(
          generateJob({
            requestId,
            model: MODEL,
            cardHash,
            relayAddress: relayServer.address,
            promptTokenIds: Array.from({ length: PROMPT_TOKENS }, (_, at) => 1_000 + ((at * 7 + index) % 3_000)),
            stop: { tokenIds: [], strings: [], maxTokens: 2 },
          }),
        );
      }
      await Promise.all(sinks.map((sink) => sink.ended));
      heldMs = performance.now() - startMs;
      runMs = heldMs / sinks.length;
      expect(sinks.map(({ error, tokenIds }) => error ?? tokenIds[0]?.length)).toEqual(sinks.map(() => 2));
    }
    const { consumer, eventLoopDelay, engine } = await worker.stats();
    expect(heldMs).toBeGreaterThan(LOCK_MS);
    expect(engine.prefillRunsTotal).toBeLessThan(engine.prefilledTokensTotal / 1_000);
    expect(consumer.lockRenewals).toBeGreaterThan(0);
    expect(consumer.lockLosses).toBe(0);
    // Beside a run itself, whose length tells how busy the machine is: one on the loop would hold it for all of that.
    expect(eventLoopDelay.p99Ms).toBeLessThan(runMs / 20);
    expect(eventLoopDelay.maxMs).toBeLessThan(runMs / 2);
    await queue.close();
    redis.disconnect();
  }, 120_000);
});

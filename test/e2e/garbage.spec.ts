import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { evaluate, INSPECTABLE } from '../support/inspector.ts';

const modelFolder = fileURLToPath(new URL('../fixtures/models/tiny-llama', import.meta.url));
const CLIENTS = 8;
const REQUESTS = 1_200;
/** 13 KB of each were moved to the old generation where ioredis and maps held what was over, 0.6 KB are without. */
const MOST_MOVED_BYTES = 3_000;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    api: INSPECTABLE,
    worker: { MILLRACE_SLOTS: String(CLIENTS), MILLRACE_SLOT_TOKENS: '256' },
  });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Streams answers to several clients at a time. */
async function ask(requests: number): Promise<void> {
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < requests) {
      sent += 1;
      const messages = [{ role: 'user', content: `Request ${sent}` }];
      const body = { model: 'tiny-llama', messages, max_tokens: 16, ignore_eos: true, stream: true };
      expect(await (await cluster.post(body)).text()).toContain('[DONE]');
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

/** Bytes that young collections have moved to the old generation since the API was told to write them down. */
function movedBytes(): number {
  const collections = [...cluster.api.output.matchAll(/ gc=s .* promoted=(\d+) /g)];
  expect(collections.length).toBeGreaterThan(2);
  return collections.reduce((sum, [, promoted]) => sum + Number(promoted), 0);
}

it('hardly anything of a request outlives it in the API', { timeout: 120_000 }, async () => {
  await ask(600);
  await evaluate(cluster.api, "process.getBuiltinModule('v8').setFlagsFromString('--trace-gc-nvp')");
  await ask(REQUESTS);
  expect(movedBytes() / REQUESTS).toBeLessThan(MOST_MOVED_BYTES);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { hasNginx, Nginx } from '../support/nginx.ts';
import { type ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { readTimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const question = {
  model: MODEL,
  messages: [{ role: 'user', content: 'Tell me about rivers and mills, please.' }],
  stream: true,
  ignore_eos: true,
  temperature: 0,
  max_tokens: 200,
};

let cluster: Cluster;
let expected: readonly string[];

const post = (url: string, body: object = question, signal?: AbortSignal) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TEST_KEY}` },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    apis: 2,
    api: { MILLRACE_DRAIN_DELAY_MS: '500' },
    worker: { MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1' },
  });
  expected = (await readTimedStream(await post(cluster.url))).events;
}, 120_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

it('both replicas answer a question with the same events, so that a proxy may ask either', async () => {
  for (const api of cluster.apis) expect((await readTimedStream(await post(api.url))).events).toEqual(expected);
});

// Where there is no nginx, tools/deploy/proxy.spec.ts holds its settings to be what they were when there was one.
if (hasNginx) {
  describe("nginx with docker-compose's settings in front of two API replicas", () => {
    let nginx: Nginx;
    const portOf = (api: ProductProcess | undefined) => Number(new URL(api?.url ?? '').port);

    beforeAll(async () => {
      nginx = await Nginx.before([portOf(cluster.apis[0]), portOf(cluster.apis[1])]);
    });
    afterAll(() => nginx?.[Symbol.asyncDispose]());

    it('streams answers with the same events as without it, from both replicas', async () => {
      const before = await Promise.all(cluster.apis.map(admitted));
      const read = async () => (await readTimedStream(await post(nginx.url))).events;
      for (const events of await Promise.all(Array.from({ length: 6 }, read))) expect(events).toEqual(expected);
      const after = await Promise.all(cluster.apis.map(admitted));
      for (const [index, count] of after.entries()) expect(count).toBeGreaterThan(before[index] ?? 0);
    });

    it('tells who waits its place in the queue while it waits, and a client that goes frees its seat', async () => {
      const leaving = Array.from({ length: 4 }, () => new AbortController());
      const seats = leaving.map(({ signal }) => post(nginx.url, { ...question, max_tokens: 400 }, signal));
      const [first] = await Promise.all(seats);
      expect(first?.status).toBe(200);
      const waiting = await post(nginx.url);
      const reader = waiting.body!.pipeThrough(new TextDecoderStream()).getReader();
      // Comment or first token, whichever the machine's speed makes of it: it is here before the answer's end.
      expect((await reader.read()).value).toMatch(/^(: queued position=|data: )/);
      for (const each of leaving) each.abort();
      let text = '';
      for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
      await expect.poll(async () => (await cluster.workers[0]!.stats()).engine.running).toBe(0);
    });

    it('passes refusals on with their status and what the client is to do', async () => {
      const wrong = await post(nginx.url, { ...question, model: 'no-such-model' });
      expect([wrong.status, ((await wrong.json()) as { error: { code: string } }).error.code]).toEqual([
        404,
        'model_not_found',
      ]);
      const large = await post(nginx.url, {
        ...question,
        messages: [{ role: 'user', content: 'x'.repeat(5_000_000) }],
      });
      expect(large.status).toBe(413);
    });

    it('fails no request while a replica drains and goes, streams in flight included', async () => {
      const [, going] = cluster.apis;
      const over = new AbortController();
      const answers: (readonly string[])[] = [];
      const clients = Array.from({ length: 4 }, async () => {
        while (!over.signal.aborted) answers.push((await readTimedStream(await post(nginx.url))).events);
      });
      await sleep(300);
      expect(await going!.stop('SIGTERM')).toBe(0);
      cluster.takeOut(going!);
      await sleep(300);
      over.abort();
      await Promise.all(clients);
      expect(answers.length).toBeGreaterThan(4);
      for (const events of answers) expect(events).toEqual(expected);
    });

    it('goes on with the replica that is left', async () => {
      for (let attempt = 0; attempt < 6; attempt += 1)
        expect((await readTimedStream(await post(nginx.url))).events).toEqual(expected);
    });
  });
}

/** Requests that a replica has let in. */
async function admitted(api: ProductProcess): Promise<number> {
  const metrics = await (await fetch(`${api.managementUrl}/metrics`)).text();
  return Number(/^millrace:admissions_total\{[^}]*outcome="admitted"[^}]*\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, RELAY_TOKEN } from '../support/cluster.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts';
import { TEST_KEY } from '../support/product-process.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const SECRET = 'a-word-of-the-prompt';
const WRONG_KEY = 'sk-nobodys-key-123456';

let receiver: OtlpReceiver;
/** Its answers last long enough to be seen on any machine. */
let long: LengthenedModel;
let cluster: Cluster;

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  // The lowest level, so that nothing that any level writes can hide.
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, MILLRACE_LOG_LEVEL: 'trace' };
  long = await lengthenedModel(modelFolder, 2_048);
  cluster = await Cluster.start({
    modelFolder: long.folder,
    workers: 2,
    api: environment,
    worker: { ...environment, MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: '2048' },
  });
}, 60_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await receiver?.[Symbol.asyncDispose]();
  await long?.[Symbol.asyncDispose]();
});

/** All spans of a trace, once its root and every child have come. */
async function completeTrace(traceId: string, attempts: number): Promise<ReceivedSpan[]> {
  const complete = (spans: readonly ReceivedSpan[]) =>
    spans.some(({ name }) => name.startsWith('POST')) &&
    spans.filter(({ name }) => name === `attempt ${MODEL}`).length >= attempts;
  await expect.poll(() => complete(receiver.trace(traceId)), { timeout: 10_000 }).toBe(true);
  return receiver.trace(traceId);
}

function named(spans: readonly ReceivedSpan[], name: string): ReceivedSpan[] {
  return spans.filter((span) => span.name === name).sort((a, b) => a.startMs - b.startMs);
}

/** @throws when a span is missing whose children came */
function expectOneTree(spans: readonly ReceivedSpan[], parentOfRoot: string): void {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId));
  expect(roots.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
    ['POST /v1/chat/completions', parentOfRoot],
  ]);
}

const traced = (digit: string) => ({
  traceId: digit.repeat(32),
  parentId: digit.repeat(16),
  headers: { traceparent: `00-${digit.repeat(32)}-${digit.repeat(16)}-01` },
});

describe('a trace of one streamed request', () => {
  it('is one tree over both processes, below the client that sent its context, with phases, tokens and no text', async () => {
    const { traceId, parentId, headers } = traced('a');
    const body = { model: MODEL, messages: [{ role: 'user', content: SECRET }], max_tokens: 12, seed: 7, stream: true };
    const response = await cluster.post(body, { headers });
    expect(await response.text()).toContain('[DONE]');
    const spans = await completeTrace(traceId, 1);
    expectOneTree(spans, parentId);
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['millrace-api', 'millrace-worker']));
    const names = spans.map(({ name }) => name).sort();
    expect(names).toEqual(
      [
        'POST /v1/chat/completions',
        `chat ${MODEL}`,
        'prepare prompt',
        'admission',
        'queue wait',
        'relay',
        'deliver',
        `attempt ${MODEL}`,
        'claim',
        'engine wait',
        'prefill',
        'decode',
      ].sort(),
    );

    const [chat] = named(spans, `chat ${MODEL}`);
    const inputTokens = Number(chat?.attributes['gen_ai.usage.input_tokens']);
    expect(inputTokens).toBeGreaterThan(5);
    expect(chat?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': MODEL,
      'gen_ai.request.seed': 7,
      'gen_ai.request.max_tokens': 12,
      'gen_ai.response.finish_reasons': ['length'],
      'gen_ai.usage.output_tokens': 12,
      'millrace.tenant.id': 'dev',
    });
    expect(chat?.events).toEqual(['gen_ai.first_token']);
    const firstChunkMs = 1_000 * Number(chat?.attributes['gen_ai.response.time_to_first_chunk']);
    expect(firstChunkMs).toBeGreaterThan(0);
    expect(firstChunkMs).toBeLessThanOrEqual(
      (chat?.endMs ?? 0) - (named(spans, 'POST /v1/chat/completions')[0]?.startMs ?? 0) + 1,
    );
    const [relay] = named(spans, 'relay');
    expect([relay?.parentSpanId, relay?.attributes['gen_ai.usage.output_tokens']]).toEqual([chat?.spanId, 12]);
    expect(named(spans, 'decode')[0]?.attributes['gen_ai.usage.output_tokens']).toBe(12);
    const [attempt] = named(spans, `attempt ${MODEL}`);
    expect(attempt).toMatchObject({ parentSpanId: chat?.spanId, service: 'millrace-worker' });
    expect(attempt?.attributes).toMatchObject({
      'gen_ai.usage.input_tokens': inputTokens,
      'gen_ai.usage.output_tokens': 12,
      'millrace.epoch': 1,
    });
    const phases = ['queue wait', 'prefill', 'decode'].map((name) => named(spans, name)[0]);
    for (const phase of phases) expect(phase?.endMs).toBeGreaterThanOrEqual(phase?.startMs ?? Number.NaN);
    expect(phases.map((phase) => phase?.startMs)).toEqual(phases.map((phase) => phase?.startMs).sort());
    expect(named(spans, 'prefill')[0]?.parentSpanId).toBe(attempt?.spanId);
    expect(receiver.raw).not.toContain(SECRET);
  });

  it('has an attempt of each worker side by side when one is killed in the middle', async () => {
    const { traceId, parentId, headers } = traced('b');
    const body = {
      model: MODEL,
      messages: [{ role: 'user', content: 'go on' }],
      max_tokens: 1_500,
      ignore_eos: true,
      stream: true,
    };
    const response = await cluster.post(body, { headers });
    const victim = await cluster.busyWorker();
    victim.child.kill('SIGKILL');
    expect(await response.text()).toContain('[DONE]');
    // The killed worker's span died with it.
    const spans = await completeTrace(traceId, 1);
    expectOneTree(spans, parentId);
    const waits = named(spans, 'queue wait');
    expect(waits.map(({ attributes }) => attributes['millrace.epoch'])).toEqual([1, 2]);
    const relays = named(spans, 'relay');
    expect(relays.map(({ status, attributes }) => [status, attributes['error.type']])).toEqual([
      [2, 'worker_lost'],
      [0, undefined],
    ]);
    const [attempt] = named(spans, `attempt ${MODEL}`);
    expect(attempt?.attributes).toMatchObject({ 'millrace.epoch': 2 });
    expect(Number(attempt?.attributes['millrace.resumed_tokens'])).toBeGreaterThan(0);
    expect(new Set([...waits, ...relays, attempt].map((span) => span?.parentSpanId)).size).toBe(1);
    cluster.takeOut(victim);
  });

  it('tells why a request was refused', async () => {
    const { traceId, headers } = traced('c');
    const response = await cluster.post(
      { model: 'no-such-model', messages: [{ role: 'user', content: SECRET }] },
      { headers },
    );
    expect(response.status).toBe(404);
    await expect
      .poll(() => receiver.trace(traceId).some(({ name }) => name.startsWith('POST')), { timeout: 10_000 })
      .toBe(true);
    const [chat] = named(receiver.trace(traceId), 'chat no-such-model');
    expect(chat).toMatchObject({ status: 2, attributes: { 'error.type': 'model_not_found' } });
  });
});

describe('logs, traces and metrics', () => {
  const ask = (fields: object, init: RequestInit = {}) =>
    cluster.post({ model: MODEL, messages: [{ role: 'user', content: SECRET }], max_tokens: 24, ...fields }, init);

  it('hold no key, prompt, answer or other word of a client, at any level and whatever goes wrong', async () => {
    const answers = [await ask({ seed: 3 }), await ask({ seed: 4, stream: true })];
    const texts = await Promise.all(answers.map((response) => response.text()));
    const whole = (JSON.parse(texts[0] ?? '') as { choices: { message: { content: string } }[] }).choices;
    const refused = [
      await ask({ messages: [{ role: SECRET, content: SECRET }] }),
      await ask({ [SECRET]: SECRET }),
      await ask({ stop: SECRET, max_tokens: -1 }),
      await ask({
        tool_choice: 'required',
        tools: [{ type: 'function', function: { name: SECRET, parameters: { type: SECRET } } }],
      }),
      await ask({
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { pattern: `(${SECRET}` } } },
      }),
      await ask({ messages: [{ role: 'user', content: `${SECRET} `.repeat(2_000) }] }),
      await ask({}, { body: `{"messages": [{"role": "user", "content": "${SECRET}" oh}]` }),
      await ask({}, { headers: { authorization: `Bearer ${WRONG_KEY}` } }),
      await ask({}, { headers: { authorization: WRONG_KEY } }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 400, 400, 401, 401]);
    const leaving = new AbortController();
    const left = await ask({ max_tokens: 300, ignore_eos: true, stream: true }, { signal: leaving.signal });
    await left.body?.getReader().read();
    leaving.abort();
    const { traceId, headers } = traced('d');
    await ask({}, { headers });
    await completeTrace(traceId, 1);

    const metrics = await Promise.all(
      [...cluster.apis, ...cluster.workers].map(async ({ managementUrl }) =>
        (await fetch(`${managementUrl}/metrics`)).text(),
      ),
    );
    const records = {
      logs: cluster.output('api') + cluster.output('worker'),
      traces: receiver.raw,
      metrics: metrics.join(),
    };
    const answer = whole[0]?.message.content ?? '';
    expect(answer.length).toBeGreaterThan(10);
    const secrets = {
      prompt: SECRET,
      answer: JSON.stringify(answer).slice(1, -1),
      key: TEST_KEY,
      wrong: WRONG_KEY,
      relay: RELAY_TOKEN,
    };
    for (const [kind, text] of Object.entries(records)) {
      for (const [name, secret] of Object.entries(secrets))
        expect(text.includes(secret), `${name} in ${kind}`).toBe(false);
    }
  });

  it('name request, tenant and epoch on each line about an attempt, on both processes, by the same id', async () => {
    const id = 'log-lines-1';
    const response = await ask({}, { headers: { 'x-request-id': id } });
    const { id: generateId } = (await response.json()) as { id: string };
    const lines = (app: 'api' | 'worker') =>
      cluster
        .output(app)
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    await expect.poll(() => lines('api').some(({ requestId }) => requestId === id)).toBe(true);
    const request = lines('api').find(({ requestId }) => requestId === id);
    expect(request).toMatchObject({ level: 'info', tenantId: 'dev', epoch: 1, status: 200, msg: 'request' });
    expect(generateId).toContain(String(request?.generateId));
    const attempt = () => lines('worker').find(({ requestId }) => requestId === request?.generateId);
    await expect.poll(attempt).toMatchObject({ level: 'debug', tenantId: 'dev', epoch: 1, name: 'worker' });
  });
});

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { METRICS, type MetricDefinition } from '#observability';
import { connectRedis } from '#queue';
import { ALERTS, ruleOf } from '../../tools/observability/alerts.ts';
import { DASHBOARDS } from '../../tools/observability/dashboards.ts';
import { Cluster } from '../support/cluster.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import { figuresOf, isRight, type LoadTruth } from '../support/load-truth.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { PrometheusServer } from '../support/prometheus-server.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const rulesFile = fileURLToPath(new URL('../../observability/rules/millrace.yaml', import.meta.url));
const documented: readonly MetricDefinition[] = Object.values(METRICS);
const ofModel = { model_name: MODEL };
const host = (url: string) => new URL(url).host;

/** What workers are scaled by, of the model that is served here. */
function kedaQuery(): string {
  const file = new URL('../../k8s/components/keda/scaled-object.yaml', import.meta.url);
  const { query } = parse(readFileSync(file, 'utf8')).spec.triggers[0].metadata;
  return query.replaceAll('\n', ' ').replaceAll(/model_name="[^"]+"/g, `model_name="${MODEL}"`);
}

/** Every query of panels, alerts and KEDA, as Grafana would send it. */
const queries = [
  ...ALERTS.map(({ signal }) => signal),
  ...DASHBOARDS.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ query }) => query))),
  kedaQuery(),
].map((query) => query.replaceAll('$__rate_interval', '1m').replaceAll('$model', '.*'));

/** Its answers last long enough to be seen on any machine. */
let long: LengthenedModel;
const LONG_TOKENS = 1_500;
const SLOT_TOKENS = 2_048;
let cluster: Cluster;
let prometheus: PrometheusServer | null = null;

beforeAll(async () => {
  long = await lengthenedModel(modelFolder, SLOT_TOKENS);
  cluster = await Cluster.start({
    modelFolder: long.folder,
    workers: 2,
    worker: { MILLRACE_SLOTS: '2', MILLRACE_SLOT_TOKENS: String(SLOT_TOKENS), MILLRACE_JOB_LOCK_MS: '2000' },
  });
  if (!PrometheusServer.isInstalled()) return;
  const jobs = {
    'millrace-api': cluster.apis.map(({ managementUrl }) => host(managementUrl)),
    'millrace-worker': cluster.workers.map(({ managementUrl }) => host(managementUrl)),
  };
  prometheus = await PrometheusServer.start(jobs, rulesFile);
  // A rate needs what was before.
  await scraped();
}, 60_000);

afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await long?.[Symbol.asyncDispose]();
});

const chat = (fields: object, init: RequestInit = {}) =>
  cluster.post(
    { model: MODEL, messages: [{ role: 'user', content: 'count' }], seed: 1, ignore_eos: true, ...fields },
    init,
  );

interface Usage {
  readonly prompt_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  readonly completion_tokens: number;
}

const operator = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };

async function redisBytes(): Promise<number> {
  const redis = connectRedis(cluster.redisUrl, 'consumer');
  try {
    return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  } finally {
    redis.disconnect();
  }
}

async function usageOf(response: Response): Promise<Usage> {
  return ((await response.json()) as { usage: Usage }).usage;
}

/** Until Prometheus, where there is one, has scraped everybody once more. */
async function scraped(): Promise<void> {
  if (prometheus === null) return;
  const server = prometheus;
  const sinceMs = Date.now();
  const oldestMs = async () => 1_000 * ((await server.query('min(timestamp(up))'))[0]?.value ?? 0);
  await vi.waitFor(async () => expect(await oldestMs()).toBeGreaterThan(sinceMs), { interval: 100 });
}

const scrapeApi = () => ScrapedMetrics.of(cluster.api.managementUrl);

async function sumOfWorkers(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const scrapes = await Promise.all(cluster.workers.map((worker) => ScrapedMetrics.of(worker.managementUrl)));
  return scrapes.reduce((sum, scrape) => sum + scrape.sum(name, labels), 0);
}

describe('metrics after a load', () => {
  it('agree, each of them, with what clients were told', async () => {
    const beganMs = performance.now();
    const alone = await Promise.all(Array.from({ length: 6 }, () => chat({ max_tokens: 10 }).then(usageOf)));
    const twice = await chat({ max_tokens: 5, n: 2 }).then(usageOf);
    const seconds = (performance.now() - beganMs) / 1_000;
    const usages = [...alone, twice];
    const sum = (of: (usage: Usage) => number) => usages.reduce((total, usage) => total + of(usage), 0);
    // A group of exporters that has not taken anything yet.
    const read = await fetch(`${cluster.url}/admin/v1/tenants/dev/ledger/billing/read`, {
      method: 'POST',
      headers: operator,
      body: '{"member":"a","count":1}',
    });
    expect(read.status).toBe(200);
    const truth: LoadTruth = {
      ...{ tenant: 'dev', requests: 7, choices: 8, mostTokens: 65, slots: 4, slotTokens: SLOT_TOKENS, seconds },
      promptTokens: sum(({ prompt_tokens }) => prompt_tokens),
      cachedTokens: sum(({ prompt_tokens_details }) => prompt_tokens_details.cached_tokens),
      completionTokens: sum(({ completion_tokens }) => completion_tokens),
      redisBytes: await redisBytes(),
    };
    expect(truth.completionTokens).toBe(70);
    const wrong = async () => {
      const workers = await Promise.all(cluster.workers.map((worker) => ScrapedMetrics.of(worker.managementUrl)));
      const figures = figuresOf(truth, { api: await scrapeApi(), workers });
      return Object.values(figures).flatMap((all) => all.filter((figure) => !isRight(figure)));
    };
    // Jobs leave the queue a moment after the answer, and ledgers are looked at every two seconds.
    await expect.poll(wrong, { timeout: 10_000, interval: 300 }).toEqual([]);
  });

  it('count refusals by their cause, cancels, and attempts that are lost', async () => {
    expect((await chat({ model: 'none-such' })).status).toBe(404);
    expect((await chat({ max_tokens: -1 })).status).toBe(400);
    expect((await chat({}, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);

    const leaving = new AbortController();
    const left = await chat({ max_tokens: LONG_TOKENS, stream: true }, { signal: leaving.signal });
    await left.body?.getReader().read();
    const busy = await cluster.busyWorker();
    const seen = await ScrapedMetrics.of(busy.managementUrl);
    expect(seen.sum('millrace:num_requests_running', ofModel)).toBe(1);
    expect(seen.sum('millrace:kv_cache_usage_perc', ofModel)).toBeGreaterThan(0);
    leaving.abort();
    await expect
      .poll(async () => (await scrapeApi()).sum('millrace:cancel_latency_seconds_count', { phase: 'decode' }))
      .toBe(1);

    // Prometheus shall see what the worker that is about to be killed has counted.
    await scraped();
    const cut = await chat({ max_tokens: LONG_TOKENS, stream: true });
    const victim = await cluster.busyWorker();
    await victim.stop('SIGKILL');
    cluster.takeOut(victim);
    expect(await cut.text()).toContain('[DONE]');

    const api = await scrapeApi();
    expect(api.sum('millrace:admissions_total', { model_name: 'none', outcome: 'model_not_found' })).toBe(1);
    expect(api.sum('millrace:admissions_total', { model_name: 'none', outcome: 'invalid_request' })).toBe(1);
    expect(api.sum('millrace:admissions_total', { model_name: 'none', outcome: 'invalid_api_key' })).toBe(1);
    expect(api.sum('millrace:request_success_total', { ...ofModel, finished_reason: 'abort' })).toBe(1);
    expect(api.sum('millrace:failovers_total', { ...ofModel, cause: 'worker_lost' })).toBe(1);
    expect(api.sum('millrace:failover_seconds_count', ofModel)).toBe(1);
    expect(api.sum('millrace:tenant_requests_total', { tenant: 'dev', outcome: 'completed' })).toBe(8);
    expect(api.sum('millrace:http_requests_total', { status: '401' })).toBe(1);
    expect(api.sum('millrace:failover_seconds_count', { ...ofModel, cause: 'worker_lost' })).toBe(1);
    expect(await sumOfWorkers('millrace:jobs_total', { outcome: 'resumed' })).toBe(1);
    // Without a key there is no board.
    expect((await fetch(`${cluster.api.managementUrl}/queues/`)).status).toBe(404);
  });

  it('show what waits where all seats are held, and a tenant below its share being let in', async () => {
    const admin = (method: string, path: string, body: object) =>
      fetch(`${cluster.url}/admin/v1/${path}`, { method, headers: operator, body: JSON.stringify(body) });
    expect((await admin('PUT', 'tenants/team-b', {})).ok).toBe(true);
    const { key } = (await (await admin('POST', 'tenants/team-b/keys', { role: 'tenant' })).json()) as { key: string };

    const [worker] = cluster.workers;
    const leaving = new AbortController();
    const held = [1, 2].map(() => chat({ max_tokens: LONG_TOKENS, stream: true }, { signal: leaving.signal }));
    for (const response of held) await (await response).body?.getReader().read();
    await expect.poll(() => sumOfWorkers('millrace:num_requests_running')).toBe(2);
    const queued = Array.from({ length: 30 }, () =>
      chat({ max_tokens: 400 }, { signal: leaving.signal }).catch(() => null),
    );
    // Requests come and go: all of it has to be right in one scrape.
    const full = async () => {
      const api = await scrapeApi();
      const of = (name: string) => api.sum(`millrace:${name}`);
      const open = of('open_requests');
      const alike = [of('admission_leases'), of('relay_open_requests')].every((count) => count === open);
      const signs = ['queue_active_jobs', 'queue_oldest_age_seconds', 'queue_estimated_wait_seconds'].map(of);
      const waiting = of('num_requests_waiting');
      return alike && waiting > 5 && waiting <= open && [...signs, of('fairness_lag_tokens')].every((sign) => sign > 0);
    };
    await expect.poll(full, { interval: 20, timeout: 5_000 }).toBe(true);
    // One that comes when somebody's answer ends finds the seat free; the next one does not.
    let lateTokens = 0;
    while ((await worker!.stats()).engine.parksTotal === 0 && lateTokens < 200) {
      const late = await chat({ max_tokens: 20 }, { headers: { authorization: `Bearer ${key}` } });
      expect((await usageOf(late)).completion_tokens).toBe(20);
      lateTokens += 20;
    }
    const { engine, consumer } = await worker!.stats();
    expect(engine.parksTotal).toBeGreaterThan(0);
    expect(await sumOfWorkers('millrace:engine_parks_total')).toBe(engine.parksTotal);
    expect(await sumOfWorkers('millrace:express_jobs_total')).toBe(consumer.expressTotal);
    const ofLate = { tenant: 'team-b', kind: 'completion' };
    expect((await scrapeApi()).sum('millrace:tenant_tokens_total', ofLate)).toBe(lateTokens);
    leaving.abort();
    await Promise.all(queued);
    await expect.poll(() => sumOfWorkers('millrace:num_requests_running')).toBe(0);
  });

  it('are all there that are documented, with the labels that are documented, and no other', async () => {
    const scrapes = {
      api: await scrapeApi(),
      worker: await ScrapedMetrics.of(cluster.workers[0]!.managementUrl),
    };
    for (const process of ['api', 'worker'] as const) {
      const expected = documented.filter((metric) => metric.process === process || metric.process === 'both');
      const seen = scrapes[process].samples.filter(({ name }) => name.startsWith('millrace:'));
      for (const { name, type, labels } of expected) {
        const sample = seen.find((each) => each.name === (type === 'histogram' ? `${name}_count` : name));
        expect(sample, `${name} on the ${process}`).toBeDefined();
        expect(Object.keys(sample?.labels ?? {}).sort(), name).toEqual([...labels].sort());
      }
      const known = new Set(
        expected.flatMap(({ name, type }) =>
          type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
        ),
      );
      expect(seen.filter(({ name }) => !known.has(name))).toEqual([]);
    }
  });

  it('hold every name and label that a panel or an alert asks for', async () => {
    const samples = [scrapeApi(), ScrapedMetrics.of(cluster.workers[0]!.managementUrl)];
    const labelsOf = new Map<string, Set<string>>([['up', new Set(['job', 'instance'])]]);
    for (const { samples: scraped } of await Promise.all(samples)) {
      for (const { name, labels } of scraped) {
        const names = labelsOf.get(name) ?? new Set(['job', 'instance']);
        for (const label of Object.keys(labels)) names.add(label);
        labelsOf.set(name, names);
      }
    }
    for (const query of queries) {
      const names = query.match(/millrace:\w+|nodejs_\w+|process_\w+_\w+|\bup\b/g) ?? [];
      expect(names.length, query).toBeGreaterThan(0);
      const known = names.map((name) => labelsOf.get(name));
      for (const [index, name] of names.entries()) expect(known[index], `${name} in ${query}`).toBeDefined();
      const asked = [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '));
      for (const label of asked) {
        expect(
          known.some((labels) => labels?.has(label)),
          `${label} in ${query}`,
        ).toBe(true);
      }
    }
  });

  // Where there is no Prometheus, the test above has to do.
  const withPrometheus = PrometheusServer.isInstalled() ? it : () => {};
  withPrometheus('give every panel and every alert data in a real Prometheus', async () => {
    const server = prometheus!;
    // What came last is scraped twice, which rates need.
    await chat({ max_tokens: 5 });
    await scraped();
    await scraped();
    const empty: string[] = [];
    for (const query of queries) {
      const results = await server.query(query);
      if (!results.some(({ value }) => Number.isFinite(value))) empty.push(query);
    }
    expect(empty).toEqual([]);
    for (const alert of ALERTS) await server.query(ruleOf(alert).expr);
    expect(await server.failedRules()).toEqual([]);
    const down = await server.query('ALERTS{alertname="MillraceTargetDown"}');
    expect(down.length).toBe(1);
  });

  it('say that no worker is left when the last one has gone', async () => {
    const [last] = cluster.workers;
    await last!.stop('SIGTERM');
    cluster.takeOut(last!);
    const ready = async () => (await scrapeApi()).sum('millrace:workers_ready', ofModel);
    await expect.poll(ready, { timeout: 10_000 }).toBe(0);
    const api = await scrapeApi();
    expect([api.sum('millrace:slots_ready', ofModel), api.sum('millrace:queue_drain_rate', ofModel)]).toEqual([0, 0]);
    expect((await chat({})).status).toBe(503);
    if (prometheus === null) return;
    const alerts = () => prometheus!.query('ALERTS{alertname="MillraceNoWorkers"}');
    await expect.poll(async () => (await alerts()).length, { timeout: 10_000 }).toBe(1);
  });
});

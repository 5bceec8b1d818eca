import {
  BoundedLabel,
  type CounterChild,
  type HistogramChild,
  METRICS,
  type MetricFamily,
  type Metrics,
} from '#observability';

/** What the requests of one model count into, looked up once. */
export interface ModelMetrics {
  readonly firstToken: HistogramChild;
  readonly endToEnd: HistogramChild;
  readonly queueTime: HistogramChild;
  readonly promptTokens: HistogramChild;
  readonly generationTokens: HistogramChild;
  readonly maxTokens: HistogramChild;
  readonly choices: HistogramChild;
  /** By the cause of the loss. */
  readonly failoverTime: (cause: string) => HistogramChild;
  /** Requests that wait for a worker: when each was queued, Unix ms. */
  readonly waiting: Map<object, number>;
}

export interface TenantMetrics {
  readonly promptTokens: CounterChild;
  readonly cachedTokens: CounterChild;
  readonly completionTokens: CounterChild;
  readonly queueSeconds: CounterChild;
  readonly outcome: (outcome: 'completed' | 'cancelled' | 'failed' | 'refused') => CounterChild;
}

const MS_PER_SECOND = 1_000;
const LOSS_CAUSES = ['worker_lost', 'engine_failed', 'worker_draining', 'unclaimed'];
const END_REASONS = ['stop', 'length', 'abort', 'error'];

/** The metrics that requests count into on an API replica. */
export class ApiMetrics {
  readonly success: MetricFamily<'counter', 'model_name' | 'finished_reason'>;
  readonly failures: MetricFamily<'counter', 'model_name' | 'code'>;
  readonly admissions: MetricFamily<'counter', 'model_name' | 'outcome'>;
  readonly failovers: MetricFamily<'counter', 'model_name' | 'cause'>;
  readonly http: MetricFamily<'counter', 'method' | 'route' | 'status'>;
  readonly admitted: HistogramChild;
  readonly refused: HistogramChild;
  readonly #metrics: Metrics;
  readonly #models = new Map<string, ModelMetrics>();
  readonly #tenants = new Map<string, TenantMetrics>();
  readonly #tenantLabel: BoundedLabel;

  /** @param mostTenants tenants that are counted by name */
  constructor(metrics: Metrics, mostTenants: number) {
    this.#metrics = metrics;
    this.#tenantLabel = new BoundedLabel(mostTenants);
    this.success = metrics.family(METRICS.requestSuccess);
    this.failures = metrics.family(METRICS.requestFailures);
    this.admissions = metrics.family(METRICS.admissions);
    this.failovers = metrics.family(METRICS.failovers);
    this.http = metrics.family(METRICS.httpRequests);
    const admissionTime = metrics.family(METRICS.admissionTime);
    this.admitted = admissionTime.child({ outcome: 'admitted' });
    this.refused = admissionTime.child({ outcome: 'refused' });
    metrics.read(METRICS.queueOldestAge, () => this.#oldestAges());
  }

  /** Of a model that exists. */
  model(name: string): ModelMetrics {
    let known = this.#models.get(name);
    if (known !== undefined) return known;
    const labels = { model_name: name };
    const metrics = this.#metrics;
    known = {
      firstToken: metrics.family(METRICS.timeToFirstToken).child(labels),
      endToEnd: metrics.family(METRICS.e2eLatency).child(labels),
      queueTime: metrics.family(METRICS.requestQueueTime).child(labels),
      promptTokens: metrics.family(METRICS.requestPromptTokens).child(labels),
      generationTokens: metrics.family(METRICS.requestGenerationTokens).child(labels),
      maxTokens: metrics.family(METRICS.requestMaxTokens).child(labels),
      choices: metrics.family(METRICS.requestChoices).child(labels),
      failoverTime: (cause) => metrics.family(METRICS.failoverTime).child({ ...labels, cause }),
      waiting: new Map(),
    };
    this.#models.set(name, known);
    // A counter that only appears with its first event hides that event from rate().
    for (const cause of LOSS_CAUSES) {
      this.failovers.child({ ...labels, cause });
      known.failoverTime(cause);
    }
    this.admissions.child({ ...labels, outcome: 'admitted' });
    this.failures.child({ ...labels, code: 'attempts_exhausted' });
    for (const finished_reason of END_REASONS) this.success.child({ ...labels, finished_reason });
    return known;
  }

  tenant(tenantId: string): TenantMetrics {
    const tenant = this.#tenantLabel.valueOf(tenantId);
    let known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const tokens = this.#metrics.family(METRICS.tenantTokens);
    const requests = this.#metrics.family(METRICS.tenantRequests);
    known = {
      promptTokens: tokens.child({ tenant, kind: 'prompt' }),
      cachedTokens: tokens.child({ tenant, kind: 'cached' }),
      completionTokens: tokens.child({ tenant, kind: 'completion' }),
      queueSeconds: this.#metrics.family(METRICS.tenantQueueTime).child({ tenant }),
      outcome: (outcome) => requests.child({ tenant, outcome }),
    };
    this.#tenants.set(tenant, known);
    return known;
  }

  #oldestAges() {
    const nowMs = Date.now();
    return [...this.#models].map(([name, { waiting }]) => {
      let oldestMs = nowMs;
      for (const sinceMs of waiting.values()) oldestMs = Math.min(oldestMs, sinceMs);
      return { labels: { model_name: name }, value: (nowMs - oldestMs) / MS_PER_SECOND };
    });
  }
}

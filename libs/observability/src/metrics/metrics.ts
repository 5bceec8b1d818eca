import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { MetricDefinition, MetricType } from './metric-definition.ts';
import { MetricFamily, type Sample } from './metric-family.ts';
import { METRICS } from './metric-names.ts';

/** A scrape waits no longer than this for what has to be read from elsewhere. */
const COLLECT_LIMIT_MS = 1_000;

export interface MetricsOptions {
  readonly process: 'api' | 'worker';
  readonly version: string;
  /** Node's own metrics (`process_…`, `nodejs_…`); on by default. */
  readonly runtime?: boolean;
}

/** The metrics of one process, as Prometheus scrapes them. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #families = new Map<string, MetricFamily<MetricType, string>>();
  readonly #collectors: { readonly name: string; readonly collect: () => Promise<void> | void }[] = [];
  readonly #collectErrors: MetricFamily<'counter', 'collector'>;

  constructor(options: MetricsOptions) {
    if (options.runtime ?? true) collectDefaultMetrics({ register: this.#registry });
    this.#collectErrors = this.family(METRICS.collectErrors);
    const { process: name, version } = options;
    this.family(METRICS.buildInfo).child({ process: name, version, node: process.version }).set(1);
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** The metric of a definition, the same one each time. */
  family<Type extends MetricType, Label extends string>(
    definition: MetricDefinition<Type, Label>,
  ): MetricFamily<Type, Label> {
    const known = this.#families.get(definition.name);
    if (known !== undefined) return known as unknown as MetricFamily<Type, Label>;
    const family = new MetricFamily(definition);
    this.#families.set(definition.name, family as unknown as MetricFamily<MetricType, string>);
    this.#register(definition, () => family.samples());
    return family;
  }

  /** A metric whose value is kept elsewhere and read when somebody scrapes; a counter's must never fall. */
  read<Label extends string>(
    definition: MetricDefinition<'counter' | 'gauge', Label>,
    samples: () => readonly { readonly labels: Readonly<Record<Label, string>>; readonly value: number }[],
  ): void {
    this.#register(definition, samples);
  }

  /**
   * Runs before each scrape, a second at most, to set what has to be asked for. When it fails or is late the scrape goes
   * on with what was set before, and `millrace:metrics_collect_errors_total` says so.
   */
  beforeScrape(name: string, collect: () => Promise<void> | void): void {
    this.#collectors.push({ name, collect });
    this.#collectErrors.child({ collector: name });
  }

  /** In Prometheus' text format. */
  async text(): Promise<string> {
    await Promise.all(this.#collectors.map(({ name, collect }) => this.#collect(name, collect)));
    return this.#registry.metrics();
  }

  async #collect(name: string, collect: () => Promise<void> | void): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error('late')), COLLECT_LIMIT_MS);
      });
      await Promise.race([collect(), late]);
    } catch {
      this.#collectErrors.child({ collector: name }).inc();
    } finally {
      clearTimeout(timer);
    }
  }

  #register({ name, help, type }: MetricDefinition, samples: () => readonly Sample[]): void {
    const metric = { name, help, type, aggregator: 'sum', get: async () => ({ name, help, type, values: samples() }) };
    // prom-client's registry asks no more of a metric than this; its own classes are not needed for it.
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

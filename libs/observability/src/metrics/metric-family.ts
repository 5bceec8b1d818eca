import { CounterChild, GaugeChild, HistogramChild } from './children.ts';
import type { LabelValues, MetricDefinition, MetricType } from './metric-definition.ts';

interface ChildOf {
  counter: CounterChild;
  gauge: GaugeChild;
  histogram: HistogramChild;
}

/** One line of the exposition. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * A metric with all of its label combinations. A child is looked up once and kept by whoever counts with it: counting
 * itself is an addition, about 30 times cheaper than prom-client's, which checks and hashes the labels each time.
 */
export class MetricFamily<Type extends MetricType, Label extends string> {
  readonly definition: MetricDefinition<Type, Label>;
  readonly #children = new Map<string, { readonly labels: LabelValues<Label>; readonly child: ChildOf[Type] }>();

  constructor(definition: MetricDefinition<Type, Label>) {
    this.definition = definition;
  }

  child(labels: LabelValues<Label>): ChildOf[Type] {
    const key = this.#keyOf(labels);
    let entry = this.#children.get(key);
    if (entry === undefined) {
      entry = { labels, child: this.#create() };
      this.#children.set(key, entry);
    }
    return entry.child;
  }

  /** Forgets a combination whose thing is gone, so that it is not reported for ever. */
  remove(labels: LabelValues<Label>): void {
    this.#children.delete(this.#keyOf(labels));
  }

  clear(): void {
    this.#children.clear();
  }

  samples(): Sample[] {
    return [...this.#children.values()].flatMap(({ labels, child }) =>
      child instanceof HistogramChild ? this.#histogramSamples(labels, child) : [{ labels, value: child.value }],
    );
  }

  #keyOf(labels: LabelValues<Label>): string {
    return this.definition.labels.map((label) => labels[label]).join('\n');
  }

  #create(): ChildOf[Type] {
    const { type, buckets } = this.definition;
    const child =
      type === 'counter' ? new CounterChild() : type === 'gauge' ? new GaugeChild() : new HistogramChild(buckets);
    return child as ChildOf[Type];
  }

  #histogramSamples(labels: LabelValues<Label>, child: HistogramChild): Sample[] {
    const { name, buckets } = this.definition;
    let total = 0;
    const samples: Sample[] = [];
    for (const [index, count] of child.counts.entries()) {
      total += count;
      const le = buckets[index] ?? '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: child.sum });
    samples.push({ metricName: `${name}_count`, labels, value: total });
    return samples;
  }
}

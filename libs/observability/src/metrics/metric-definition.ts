export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Which process has the metric on its management port. */
export type MetricProcess = 'api' | 'worker' | 'both';

/** One metric as it is documented and exposed. Times are in seconds, sizes in bytes. */
export interface MetricDefinition<Type extends MetricType = MetricType, Label extends string = string> {
  readonly name: string;
  readonly type: Type;
  readonly help: string;
  readonly labels: readonly Label[];
  readonly process: MetricProcess;
  /** Upper bounds in rising order, without +Inf; empty for what is no histogram. */
  readonly buckets: readonly number[];
}

/** The values of a definition's labels. */
export type LabelValues<Label extends string> = Readonly<Record<Label, string>>;

export function counter<const Label extends string = never>(
  process: MetricProcess,
  name: `${string}_total`,
  help: string,
  labels: readonly Label[] = [],
): MetricDefinition<'counter', Label> {
  return { name, type: 'counter', help, labels, process, buckets: [] };
}

export function gauge<const Label extends string = never>(
  process: MetricProcess,
  name: string,
  help: string,
  labels: readonly Label[] = [],
): MetricDefinition<'gauge', Label> {
  return { name, type: 'gauge', help, labels, process, buckets: [] };
}

export function histogram<const Label extends string = never>(
  process: MetricProcess,
  name: string,
  help: string,
  buckets: readonly number[],
  labels: readonly Label[] = [],
): MetricDefinition<'histogram', Label> {
  return { name, type: 'histogram', help, labels, process, buckets };
}

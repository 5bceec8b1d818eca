/**
 * What every process uses to be seen from outside: logger, metrics and traces.
 *
 * @module
 * @example
 * import { createLogger, METRICS, Metrics } from '#observability';
 * const logger = createLogger('api', 'info');
 * logger.info({ requestId: 'request-1', promptTokens: 12 }, 'request accepted');
 * const metrics = new Metrics({ process: 'api', version: '0.1.0' });
 * const waiting = metrics.family(METRICS.numRequestsRunning).child({ model_name: 'smollm2' });
 * waiting.set(3);
 * console.log(await metrics.text());
 */
export type { Logger } from 'pino';
export { createLogger } from './logging/create-logger.ts';
export { endOnUncaught } from './logging/end-on-uncaught.ts';
export { BoundedLabel } from './metrics/bounded-label.ts';
export type { CounterChild, GaugeChild, HistogramChild } from './metrics/children.ts';
export { exposeRedis } from './metrics/expose-redis.ts';
export type { LabelValues, MetricDefinition, MetricProcess, MetricType } from './metrics/metric-definition.ts';
export { MetricFamily } from './metrics/metric-family.ts';
export { METRICS } from './metrics/metric-names.ts';
export { Metrics, type MetricsOptions } from './metrics/metrics.ts';
export { releaseVersion } from './metrics/release-version.ts';
export { preciseNowMs } from './precise-now.ts';
export { NO_SPAN } from './tracing/no-span.ts';
export { ATTRIBUTES, FIRST_TOKEN, SPANS } from './tracing/span-names.ts';
export { startTracing, type TraceSampler, type TracingOptions } from './tracing/start-tracing.ts';
export { type Attributes, NO_TRACING, type SpanStart, type TraceSpan, type Tracing } from './tracing/tracing.ts';
export { type OtelSettings, tracingOptionsOf } from './tracing/tracing-options.ts';

import { NO_TRACING, type Tracing } from './tracing.ts';

export type TraceSampler =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

export interface TracingOptions {
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Of this process, among others of its name. */
  readonly instanceId: string;
  /** Where OTLP over HTTP is taken, with path, as `http://collector:4318/v1/traces`; null switches tracing off. */
  readonly url: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly sampler: TraceSampler;
  /** For the samplers that keep a part: 0 to 1. */
  readonly sampledPart: number;
  /** Longest time that spans wait for more to be sent with. Default 1,000. */
  readonly batchDelayMs?: number;
}

/** Switches tracing on where a receiver is named. The OpenTelemetry SDK is not even loaded otherwise. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { url } = options;
  if (url === null) return NO_TRACING;
  const { OtlpTracing } = await import('./otlp-tracing.ts');
  return new OtlpTracing({ ...options, url });
}

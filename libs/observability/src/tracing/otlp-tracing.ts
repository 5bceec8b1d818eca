import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingOptions } from './start-tracing.ts';
import type { Attributes, SpanRole, SpanStart, TraceSpan, Tracing } from './tracing.ts';

const DEFAULT_BATCH_DELAY_MS = 1_000;
/** Spans that may wait; more are thrown away rather than held. */
const MOST_WAITING_SPANS = 8_192;
const SPANS_PER_EXPORT = 512;
const EXPORT_TIMEOUT_MS = 5_000;
const CLOSE_LIMIT_MS = 2_000;

const KINDS: Record<SpanRole, SpanKind> = {
  server: SpanKind.SERVER,
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Spans by the OpenTelemetry SDK, sent in batches over OTLP/HTTP (JSON). A receiver that is away costs spans, not requests. */
export class OtlpTracing implements Tracing {
  readonly on = true;
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor(options: TracingOptions & { readonly url: string }) {
    const exporter = new OTLPTraceExporter({
      url: options.url,
      headers: { ...options.headers },
      timeoutMillis: EXPORT_TIMEOUT_MS,
    });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': options.serviceName,
        'service.version': options.serviceVersion,
        'service.instance.id': options.instanceId,
        'process.pid': process.pid,
      }),
      sampler: samplerOf(options),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: MOST_WAITING_SPANS,
          maxExportBatchSize: SPANS_PER_EXPORT,
          scheduledDelayMillis: options.batchDelayMs ?? DEFAULT_BATCH_DELAY_MS,
          exportTimeoutMillis: EXPORT_TIMEOUT_MS,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('millrace', options.serviceVersion);
  }

  begin(name: string, traceparent: string | null, start: SpanStart = {}): TraceSpan {
    const remote = traceparent === null ? null : spanContextOf(traceparent);
    const parent = remote === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
    return new OtelSpan(this.#tracer, name, parent, start);
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_LIMIT_MS);
    });
    await Promise.race([this.#provider.shutdown().catch(() => {}), late]);
    clearTimeout(timer);
  }
}

class OtelSpan implements TraceSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  #ended = false;

  constructor(tracer: Tracer, name: string, parent: Context, { role = 'internal', attributes, atMs }: SpanStart) {
    this.#tracer = tracer;
    const options = { kind: KINDS[role], ...(atMs === undefined ? {} : { startTime: atMs }) };
    this.#span = tracer.startSpan(name, options, parent);
    this.#context = trace.setSpan(ROOT_CONTEXT, this.#span);
    if (attributes !== undefined) this.set(attributes);
  }

  get recording(): boolean {
    return this.#span.isRecording();
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`;
  }

  child(name: string, start: SpanStart = {}): TraceSpan {
    return new OtelSpan(this.#tracer, name, this.#context, start);
  }

  set(attributes: Attributes): void {
    if (this.recording) this.#span.setAttributes(withoutNulls(attributes));
  }

  event(name: string, attributes: Attributes = {}, atMs?: number): void {
    if (this.recording) this.#span.addEvent(name, withoutNulls(attributes), atMs);
  }

  fail(code: string, message: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    this.#span.setAttribute('error.type', code);
  }

  end(atMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#span.end(atMs);
  }
}

function withoutNulls(attributes: Attributes): Record<string, string | number | boolean | string[]> {
  const kept: Record<string, string | number | boolean | string[]> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) kept[name] = typeof value === 'object' ? [...value] : value;
  }
  return kept;
}

/** `00-<trace id>-<span id>-<flags>`; null for what is none. */
function spanContextOf(traceparent: string): SpanContext | null {
  const [version, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return version === 'ff' || !trace.isSpanContextValid(context) ? null : context;
}

function samplerOf({ sampler, sampledPart }: TracingOptions): Sampler {
  const name = sampler.replace('parentbased_', '');
  const root =
    name === 'always_off'
      ? new AlwaysOffSampler()
      : name === 'traceidratio'
        ? new TraceIdRatioBasedSampler(sampledPart)
        : new AlwaysOnSampler();
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

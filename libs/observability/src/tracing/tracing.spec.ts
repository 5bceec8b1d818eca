import { describe, expect, it } from 'vitest';
import { NO_SPAN, NO_TRACING, type OtelSettings, startTracing, tracingOptionsOf } from '#observability';

const identity = { serviceName: 'millrace-api', serviceVersion: '1', instanceId: 'api-1' };
const settings: OtelSettings = {
  OTEL_SDK_DISABLED: false,
  OTEL_TRACES_SAMPLER: 'parentbased_always_on',
  OTEL_TRACES_SAMPLER_ARG: 1,
};
const optionsWith = (changes: Partial<OtelSettings>) => tracingOptionsOf({ ...settings, ...changes }, identity);

describe('tracingOptionsOf', () => {
  it('adds the path of traces to the general endpoint, and takes the one for traces as it is', () => {
    expect(optionsWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }).url).toBe(
      'http://collector:4318/v1/traces',
    );
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces/x', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://other' };
    expect(optionsWith(own).url).toBe('http://traces/x');
  });

  it('switches tracing off without an endpoint, and where the SDK is disabled', () => {
    expect(optionsWith({}).url).toBeNull();
    expect(optionsWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_SDK_DISABLED: true }).url).toBeNull();
  });

  it('reads headers and the name of the service', () => {
    const options = optionsWith({ OTEL_EXPORTER_OTLP_HEADERS: 'a=1, b=x%3Dy', OTEL_SERVICE_NAME: 'mine' });
    expect(options).toMatchObject({ headers: { a: '1', b: 'x=y' }, serviceName: 'mine' });
  });
});

describe('startTracing', () => {
  it('makes nothing at all without a receiver', async () => {
    const tracing = await startTracing(optionsWith({}));
    expect(tracing).toBe(NO_TRACING);
    expect(tracing.begin('x', null).child('y')).toBe(NO_SPAN);
  });

  it('goes on below the caller, keeps its sampling, and hands its own context on', async () => {
    const tracing = await startTracing(optionsWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }));
    const traceId = 'a'.repeat(32);
    const kept = tracing.begin('x', `00-${traceId}-${'b'.repeat(16)}-01`);
    expect(kept.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    const dropped = tracing.begin('x', `00-${traceId}-${'b'.repeat(16)}-00`);
    expect([dropped.recording, dropped.traceparent?.slice(-2)]).toEqual([false, '00']);
    const fresh = tracing.begin('x', 'not a context');
    expect(fresh.traceparent).not.toContain(traceId);
    expect(fresh.child('y').traceparent?.slice(3, 35)).toBe(fresh.traceparent?.slice(3, 35));
    await tracing.close();
  });
});

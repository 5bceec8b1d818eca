import type { TraceSampler, TracingOptions } from './start-tracing.ts';

/** OpenTelemetry's own settings, as libs/config has checked them. */
export interface OtelSettings {
  readonly OTEL_SDK_DISABLED: boolean;
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_HEADERS?: string | undefined;
  readonly OTEL_SERVICE_NAME?: string | undefined;
  readonly OTEL_TRACES_SAMPLER: TraceSampler;
  readonly OTEL_TRACES_SAMPLER_ARG: number;
}

const TRACES_PATH = 'v1/traces';

/** @param identity of the process; `serviceName` unless OTEL_SERVICE_NAME is set */
export function tracingOptionsOf(
  settings: OtelSettings,
  identity: Pick<TracingOptions, 'serviceName' | 'serviceVersion' | 'instanceId'>,
): TracingOptions {
  return {
    ...identity,
    serviceName: settings.OTEL_SERVICE_NAME ?? identity.serviceName,
    url: settings.OTEL_SDK_DISABLED ? null : receiverOf(settings),
    headers: headersOf(settings.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
    sampler: settings.OTEL_TRACES_SAMPLER,
    sampledPart: settings.OTEL_TRACES_SAMPLER_ARG,
  };
}

/** The endpoint for traces is taken as it is; the general one gets the path of traces (OpenTelemetry's specification). */
function receiverOf(settings: OtelSettings): string | null {
  if (settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined) return settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const general = settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  return general === undefined ? null : `${general.replace(/\/$/, '')}/${TRACES_PATH}`;
}

/** `name=value,name=value`, the values percent-encoded. */
function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').flatMap((pair) => {
    const [name = '', ...value] = pair.split('=');
    return name.trim() === '' ? [] : [[name.trim(), decodeURIComponent(value.join('=').trim())] as const];
  });
  return Object.fromEntries(pairs);
}

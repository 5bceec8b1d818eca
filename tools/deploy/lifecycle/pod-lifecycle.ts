import { fileURLToPath } from 'node:url';
import { render } from '../kustomize/render.ts';

/** One probe as the kubelet runs it. */
export interface Probe {
  readonly path: string;
  readonly port: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  /** Failures in a row after which it counts as failed. */
  readonly failureThreshold: number;
}

/** How the manifests have the pods of an app started, probed and stopped. */
export interface PodLifecycle {
  readonly startup: Probe;
  readonly readiness: Probe;
  readonly liveness: Probe;
  /** Pause between the endpoint's removal and SIGTERM. */
  readonly preStopMs: number;
  /** From the start of that pause to SIGKILL. */
  readonly terminationGraceMs: number;
  /** MILLRACE_GRACE_MS */
  readonly graceMs: number;
  /** MILLRACE_DRAIN_DELAY_MS, which only an API has. */
  readonly drainDelayMs: number;
  readonly rollingUpdate: { readonly maxSurge: number; readonly maxUnavailable: number };
}

interface ProbeSpec {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}
interface DeploymentSpec {
  readonly strategy: { readonly rollingUpdate: PodLifecycle['rollingUpdate'] };
  readonly template: {
    readonly spec: {
      readonly terminationGracePeriodSeconds: number;
      readonly containers: readonly {
        readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
        readonly startupProbe: ProbeSpec;
        readonly readinessProbe: ProbeSpec;
        readonly livenessProbe: ProbeSpec;
        readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
      }[];
    };
  };
}

/**
 * Reads it from the manifests of an overlay, for drills that are to run with what a cluster runs with.
 * @throws Error when the overlay has no such Deployment
 */
export function podLifecycle(app: 'api' | 'worker', overlay = 'production'): PodLifecycle {
  const objects = render(fileURLToPath(new URL(`../../../k8s/overlays/${overlay}`, import.meta.url)));
  const named = (kind: string, name: string) =>
    objects.find((each) => each.kind === kind && each.metadata.name === name);
  const spec = named('Deployment', `millrace-${app}`)?.spec as DeploymentSpec | undefined;
  const settings = named('ConfigMap', 'millrace-config')?.data as Record<string, string> | undefined;
  const container = spec?.template.spec.containers[0];
  if (spec === undefined || container === undefined || settings === undefined) {
    throw new Error(`k8s/overlays/${overlay} has no Deployment millrace-${app} with its ConfigMap.`);
  }
  const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
  return {
    startup: probeOf(container.startupProbe, ports),
    readiness: probeOf(container.readinessProbe, ports),
    liveness: probeOf(container.livenessProbe, ports),
    preStopMs: (container.lifecycle?.preStop.sleep.seconds ?? 0) * 1_000,
    terminationGraceMs: spec.template.spec.terminationGracePeriodSeconds * 1_000,
    graceMs: Number(settings.MILLRACE_GRACE_MS),
    drainDelayMs: app === 'api' ? Number(settings.MILLRACE_DRAIN_DELAY_MS) : 0,
    rollingUpdate: spec.strategy.rollingUpdate,
  };
}

/** Kubernetes' defaults stand where a probe says nothing. */
function probeOf(probe: ProbeSpec, ports: ReadonlyMap<string, number>): Probe {
  return {
    path: probe.httpGet.path,
    port: ports.get(probe.httpGet.port) ?? 0,
    periodMs: (probe.periodSeconds ?? 10) * 1_000,
    timeoutMs: (probe.timeoutSeconds ?? 1) * 1_000,
    failureThreshold: probe.failureThreshold ?? 3,
  };
}

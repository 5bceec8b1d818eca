import { fileURLToPath } from 'node:url';
import { render } from '../../deploy/kustomize/render.ts';

/** A rate limit of the HorizontalPodAutoscaler: at most `value` pods, or per cent of them, in `periodMs`. */
export interface ScalingPolicy {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly periodMs: number;
}

export interface ScalingRules {
  readonly stabilizationMs: number;
  readonly policies: readonly ScalingPolicy[];
  /** Of several policies the one that allows the largest change, the smallest, or no change at all. */
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
}

export interface Fallback {
  /** Failures in a row after which it begins. */
  readonly failureThreshold: number;
  readonly replicas: number;
  /** `replicas` whatever there is, or the current number where that is higher; the forms that the simulation knows. */
  readonly behavior: 'static' | 'currentReplicasIfHigher';
}

/** What a ScaledObject says, with KEDA's and Kubernetes' defaults where it says nothing. */
export interface ScalerSettings {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Value of the metric for each replica. */
  readonly threshold: number;
  /** The gauges whose largest readings the query adds up. */
  readonly gauges: readonly string[];
  /** How often KEDA itself reads the metric: decides about 0 and 1 replicas, and the age of cached values. */
  readonly pollingMs: number;
  /** How long a metric of zero has to last before the last replica goes; of no effect above `minReplicas` 0. */
  readonly cooldownMs: number;
  readonly useCachedMetrics: boolean;
  /** What KEDA says when it can not read the metric; null: nothing, and all stays as it is. */
  readonly fallback: Fallback | null;
  readonly scaleUp: ScalingRules;
  readonly scaleDown: ScalingRules;
}

interface RulesSpec {
  readonly stabilizationWindowSeconds?: number;
  readonly policies: readonly { readonly type: 'Pods' | 'Percent'; readonly value: number; periodSeconds: number }[];
  readonly selectPolicy?: ScalingRules['selectPolicy'];
}
interface ScaledObjectSpec {
  readonly pollingInterval?: number;
  readonly cooldownPeriod?: number;
  readonly minReplicaCount?: number;
  readonly maxReplicaCount?: number;
  readonly fallback?: Omit<Fallback, 'behavior'> & { readonly behavior?: string };
  readonly advanced: {
    readonly horizontalPodAutoscalerConfig: { readonly behavior: { scaleUp: RulesSpec; scaleDown: RulesSpec } };
  };
  readonly triggers: readonly {
    readonly type: string;
    readonly metricType?: string;
    readonly useCachedMetrics?: boolean;
    readonly metadata: { readonly query: string; readonly threshold: string };
  }[];
}

/**
 * Reads the settings from the rendered manifests of an overlay.
 * @throws Error when it has no such ScaledObject, or one that the simulation does not know how to follow
 */
export function scalerSettings(overlay = 'production'): ScalerSettings {
  const objects = render(fileURLToPath(new URL(`../../../k8s/overlays/${overlay}`, import.meta.url)));
  const spec = objects.find(({ kind }) => kind === 'ScaledObject')?.spec as ScaledObjectSpec | undefined;
  const [trigger, ...others] = spec?.triggers ?? [];
  if (spec === undefined || trigger === undefined || others.length > 0)
    throw new Error(`k8s/overlays/${overlay} has no ScaledObject with one trigger.`);
  if (trigger.type !== 'prometheus' || (trigger.metricType ?? 'AverageValue') !== 'AverageValue')
    throw new Error(`The trigger of k8s/overlays/${overlay} is not of type prometheus with an average value.`);
  const { scaleUp, scaleDown } = spec.advanced.horizontalPodAutoscalerConfig.behavior;
  return {
    minReplicas: spec.minReplicaCount ?? 0,
    maxReplicas: spec.maxReplicaCount ?? 100,
    threshold: Number(trigger.metadata.threshold),
    gauges: gaugesOf(trigger.metadata.query),
    pollingMs: (spec.pollingInterval ?? 30) * 1_000,
    cooldownMs: (spec.cooldownPeriod ?? 300) * 1_000,
    useCachedMetrics: trigger.useCachedMetrics ?? false,
    fallback: fallbackOf(spec.fallback),
    scaleUp: rulesOf(scaleUp, 0),
    scaleDown: rulesOf(scaleDown, 300),
  };
}

function fallbackOf(fallback: ScaledObjectSpec['fallback']): Fallback | null {
  if (fallback === undefined) return null;
  const { behavior = 'static', failureThreshold, replicas } = fallback;
  if (behavior !== 'static' && behavior !== 'currentReplicasIfHigher')
    throw new Error(`The simulation does not know the fallback's behavior ${behavior}.`);
  return { failureThreshold, replicas, behavior };
}

function rulesOf(rules: RulesSpec, defaultWindowSeconds: number): ScalingRules {
  return {
    stabilizationMs: (rules.stabilizationWindowSeconds ?? defaultWindowSeconds) * 1_000,
    policies: rules.policies.map(({ type, value, periodSeconds }) => ({
      type,
      value,
      periodMs: periodSeconds * 1_000,
    })),
    selectPolicy: rules.selectPolicy ?? 'Max',
  };
}

/** `max(a{…}) + max(b{…})` is all that the simulation knows how to compute. */
function gaugesOf(query: string): string[] {
  const terms = query.split('+').map((term) => /^\s*max\(([\w:]+)\{[^}]*\}\)\s*$/.exec(term)?.[1]);
  return terms.map((gauge) => {
    if (gauge === undefined) throw new Error(`The simulation can not compute the query ${query}.`);
    return gauge;
  });
}

import type { ScalerSettings, ScalingPolicy, ScalingRules } from './scaler-settings.ts';

/** Kubernetes' --horizontal-pod-autoscaler-tolerance: within this share of the target nothing changes. */
export const TOLERANCE = 0.1;

interface Recommendation {
  readonly atMs: number;
  readonly replicas: number;
}
interface ScaleEvent {
  readonly atMs: number;
  readonly change: number;
}

/**
 * How many replicas an average value of an external metric asks for (kubernetes
 * pkg/controller/podautoscaler/replica_calculator.go, GetExternalPerPodMetricReplicas). Replicas that are not ready yet
 * count, so a slow start asks for no more of them.
 */
export function replicasForMetric(metric: number, threshold: number, replicas: number): number {
  const ratio = metric / (threshold * replicas);
  return Math.abs(1 - ratio) > TOLERANCE ? Math.ceil(metric / threshold) : replicas;
}

/**
 * The decisions of Kubernetes' HorizontalPodAutoscaler about one metric, with the behaviour of its object: stabilisation
 * windows, then limits of rate (pkg/controller/podautoscaler/horizontal.go, normalizeDesiredReplicasWithBehaviors). KEDA
 * makes such an object of a ScaledObject and answers for the metric.
 */
export class HorizontalAutoscaler {
  readonly #settings: ScalerSettings;
  #recommendations: Recommendation[] = [];
  #ups: ScaleEvent[] = [];
  #downs: ScaleEvent[] = [];

  constructor(settings: ScalerSettings) {
    this.#settings = settings;
  }

  /** @returns the replicas that are wanted from now on */
  decide(nowMs: number, metric: number, replicas: number): number {
    const { threshold, minReplicas, maxReplicas } = this.#settings;
    // What it finds at its first look counts as wanted.
    if (this.#recommendations.length === 0) this.#recommendations.push({ atMs: nowMs, replicas });
    const lowest = Math.max(1, minReplicas);
    const wanted =
      replicas > maxReplicas
        ? maxReplicas
        : replicas < lowest
          ? lowest
          : this.#normalized(nowMs, replicas, replicasForMetric(metric, threshold, replicas));
    if (wanted > replicas) this.#ups.push({ atMs: nowMs, change: wanted - replicas });
    if (wanted < replicas) this.#downs.push({ atMs: nowMs, change: replicas - wanted });
    return wanted;
  }

  #normalized(nowMs: number, replicas: number, recommended: number): number {
    const { scaleUp, scaleDown, minReplicas, maxReplicas } = this.#settings;
    const stable = this.#stabilized(nowMs, replicas, recommended);
    if (stable > replicas) {
      const limit = Math.min(maxReplicas, Math.max(replicas, this.#upLimit(nowMs, replicas, scaleUp)));
      return Math.min(stable, limit);
    }
    if (stable < replicas) {
      const limit = Math.max(minReplicas, 1, Math.min(replicas, this.#downLimit(nowMs, replicas, scaleDown)));
      return Math.max(stable, limit);
    }
    return replicas;
  }

  /** The change that every recommendation within the window of its direction agrees with. */
  #stabilized(nowMs: number, replicas: number, recommended: number): number {
    const upCutoffMs = nowMs - this.#settings.scaleUp.stabilizationMs;
    const downCutoffMs = nowMs - this.#settings.scaleDown.stabilizationMs;
    let up = recommended;
    let down = recommended;
    for (const past of this.#recommendations) {
      if (past.atMs > upCutoffMs) up = Math.min(up, past.replicas);
      if (past.atMs > downCutoffMs) down = Math.max(down, past.replicas);
    }
    const oldestMs = Math.min(upCutoffMs, downCutoffMs);
    this.#recommendations = this.#recommendations.filter(({ atMs }) => atMs > oldestMs);
    this.#recommendations.push({ atMs: nowMs, replicas: recommended });
    return Math.min(Math.max(replicas, up), down);
  }

  #upLimit(nowMs: number, replicas: number, rules: ScalingRules): number {
    const proposals = rules.policies.map((policy) => {
      const start = replicas - changeWithin(policy, nowMs, this.#ups) + changeWithin(policy, nowMs, this.#downs);
      return policy.type === 'Pods' ? start + policy.value : Math.ceil(start * (1 + policy.value / 100));
    });
    if (rules.selectPolicy === 'Disabled') return replicas;
    return rules.selectPolicy === 'Max' ? Math.max(...proposals) : Math.min(...proposals);
  }

  #downLimit(nowMs: number, replicas: number, rules: ScalingRules): number {
    const proposals = rules.policies.map((policy) => {
      const start = replicas - changeWithin(policy, nowMs, this.#ups) + changeWithin(policy, nowMs, this.#downs);
      return policy.type === 'Pods' ? start - policy.value : Math.trunc(start * (1 - policy.value / 100));
    });
    if (rules.selectPolicy === 'Disabled') return replicas;
    return rules.selectPolicy === 'Max' ? Math.min(...proposals) : Math.max(...proposals);
  }
}

function changeWithin({ periodMs }: ScalingPolicy, nowMs: number, events: readonly ScaleEvent[]): number {
  return events.reduce((sum, { atMs, change }) => (atMs > nowMs - periodMs ? sum + change : sum), 0);
}

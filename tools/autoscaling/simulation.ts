import { HorizontalAutoscaler } from './scaler/horizontal-autoscaler.ts';
import type { ScalerSettings } from './scaler/scaler-settings.ts';
import type { Arrival } from './traffic/arrivals.ts';
import type { SimulatedRequest } from './workers/simulated-request.ts';
import { SimulatedWorker } from './workers/simulated-worker.ts';
import type { WorkerSpeed } from './workers/worker-speed.ts';

export interface SimulationOptions {
  readonly arrivals: readonly Arrival[];
  readonly scaler: ScalerSettings;
  readonly speed: WorkerSpeed;
  /** From the decision for a new pod to its readiness: scheduling, a node where none is free, image, model. */
  readonly startDelayMs: number;
  /** How long a pod that goes may finish what it runs; the rest goes on elsewhere. */
  readonly graceMs: number;
  /** How often Prometheus reads the gauges. */
  readonly scrapeMs: number;
  readonly initialReplicas: number;
  readonly durationMs: number;
  /** When Prometheus does not answer; it always does when unset. */
  readonly prometheusAway?: { readonly fromMs: number; readonly untilMs: number };
}

/** The cluster when the autoscaler looked at it. */
export interface Sample {
  readonly atMs: number;
  readonly replicas: number;
  readonly ready: number;
  readonly waiting: number;
  readonly running: number;
}

export interface SimulationResult {
  readonly requests: readonly SimulatedRequest[];
  readonly samples: readonly Sample[];
  /** Requests that went on elsewhere because their worker was taken away. */
  readonly handedOver: number;
}

/** Kubernetes' --horizontal-pod-autoscaler-sync-period. */
export const SYNC_MS = 15_000;
/** Prometheus and the autoscaler have nothing to do with each other's clocks. */
const SYNC_OFFSET_MS = 7_000;

/**
 * Plays arrivals to a cluster whose number of workers the autoscaler decides: requests wait in one queue, workers with a
 * free slot take them, Prometheus reads gauges, the autoscaler reads Prometheus through KEDA.
 */
export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #autoscaler: HorizontalAutoscaler;
  readonly #requests: SimulatedRequest[];
  readonly #waiting: SimulatedRequest[] = [];
  readonly #samples: Sample[] = [];
  #workers: SimulatedWorker[];
  #arrived = 0;
  #handedOver = 0;
  /** What Prometheus has. */
  #scraped = new Map<string, number>();
  /** What KEDA has of it. */
  #metric = 0;
  #activeAtMs = 0;
  /** Readings in a row that failed. */
  #failures = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#autoscaler = new HorizontalAutoscaler(options.scaler);
    this.#workers = Array.from({ length: options.initialReplicas }, () => new SimulatedWorker(options.speed, 0));
    this.#requests = options.arrivals.map(({ atMs, contextTokens, generatedTokens }) => ({
      arrivedMs: atMs,
      contextTokens,
      generatedTokens,
      startedMs: null,
      firstTokenMs: null,
      endedMs: null,
      deliveredTokens: 0,
    }));
  }

  run(): SimulationResult {
    const { durationMs, scrapeMs, scaler } = this.#options;
    let [scrapeAtMs, syncAtMs, pollAtMs] = [0, SYNC_OFFSET_MS, 0];
    for (let nowMs = 0; nowMs < durationMs; ) {
      nowMs = Math.min(this.#nextWorkMs(), scrapeAtMs, syncAtMs, pollAtMs, durationMs);
      this.#work(nowMs);
      if (nowMs === scrapeAtMs) {
        this.#scraped = new Map(Object.entries(this.#gauges()));
        scrapeAtMs += scrapeMs;
      }
      if (nowMs === pollAtMs) {
        this.#poll(nowMs);
        pollAtMs += scaler.pollingMs;
      }
      if (nowMs === syncAtMs) {
        this.#sync(nowMs);
        syncAtMs += SYNC_MS;
      }
    }
    return { requests: this.#requests, samples: this.#samples, handedOver: this.#handedOver };
  }

  /** The next arrival, end of an engine's chunk or answer, readiness or kill of a pod. */
  #nextWorkMs(): number {
    let next = this.#requests[this.#arrived]?.arrivedMs ?? Number.POSITIVE_INFINITY;
    for (const worker of this.#workers) {
      next = Math.min(next, worker.nextEventMs, worker.killAtMs ?? Number.POSITIVE_INFINITY);
      if (this.#waiting.length > 0 && worker.readyAtMs > this.#nowMs) next = Math.min(next, worker.readyAtMs);
    }
    return next;
  }

  #nowMs = 0;

  #work(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const worker of this.#workers) worker.advance(nowMs);
    for (const worker of this.#workers) {
      if (worker.killAtMs !== null && nowMs >= worker.killAtMs) {
        const left = worker.kill();
        this.#handedOver += left.length;
        this.#waiting.unshift(...left);
      }
    }
    // A pod that goes ends with its last request.
    this.#workers = this.#workers.filter(({ killAtMs, running }) => killAtMs === null || running > 0);
    for (let next = this.#requests[this.#arrived]; next !== undefined && next.arrivedMs <= nowMs; ) {
      this.#waiting.push(next);
      this.#arrived += 1;
      next = this.#requests[this.#arrived];
    }
    this.#assign(nowMs);
  }

  /** Every worker with a free slot asks the queue; the least busy is the likeliest to be heard, and is here. */
  #assign(nowMs: number): void {
    while (this.#waiting.length > 0) {
      let best: SimulatedWorker | null = null;
      for (const worker of this.#workers) {
        if (worker.takesJobs(nowMs) && (best === null || worker.running < best.running)) best = worker;
      }
      const request = best === null ? undefined : this.#waiting.shift();
      if (best === null || request === undefined) return;
      request.startedMs ??= nowMs;
      best.take(request, nowMs);
    }
  }

  #gauges(): Record<string, number> {
    const running = this.#workers.reduce((sum, worker) => sum + worker.running, 0);
    return { 'millrace:num_requests_waiting': this.#waiting.length, 'millrace:queue_active_jobs': running };
  }

  #query(): number {
    return this.#options.scaler.gauges.reduce((sum, gauge) => {
      const value = this.#scraped.get(gauge);
      if (value === undefined) throw new Error(`The simulation has no gauge ${gauge}.`);
      return sum + value;
    }, 0);
  }

  get #replicas(): number {
    return this.#workers.filter(({ killAtMs }) => killAtMs === null).length;
  }

  /** KEDA's own loop: from none to one, back to none after the cooldown, and the cached value. */
  #poll(nowMs: number): void {
    const { minReplicas, cooldownMs } = this.#options.scaler;
    if (this.#isAway(nowMs)) return;
    this.#metric = this.#query();
    if (this.#metric > 0) this.#activeAtMs = nowMs;
    if (minReplicas > 0) return;
    if (this.#metric > 0 && this.#replicas === 0) this.#scale(nowMs, 1);
    if (this.#metric === 0 && nowMs - this.#activeAtMs >= cooldownMs) this.#scale(nowMs, 0);
  }

  #sync(nowMs: number): void {
    const replicas = this.#replicas;
    const metric = this.#external(nowMs, replicas);
    // An autoscaler leaves a Deployment without replicas alone, and one whose metric it does not get.
    if (replicas > 0 && metric !== null) this.#scale(nowMs, this.#autoscaler.decide(nowMs, metric, replicas));
    const running = this.#workers.reduce((sum, worker) => sum + worker.running, 0);
    const ready = this.#workers.filter(({ readyAtMs, killAtMs }) => killAtMs === null && readyAtMs <= nowMs).length;
    this.#samples.push({ atMs: nowMs, replicas: this.#replicas, ready, waiting: this.#waiting.length, running });
  }

  /** What KEDA answers the autoscaler: the metric, or what its fallback makes of the replicas, or an error (null). */
  #external(nowMs: number, replicas: number): number | null {
    const { scaler } = this.#options;
    if (!this.#isAway(nowMs)) {
      this.#failures = 0;
      if (!scaler.useCachedMetrics) this.#metric = this.#query();
      return this.#metric;
    }
    this.#failures += 1;
    const { fallback, threshold } = scaler;
    if (fallback === null || this.#failures <= fallback.failureThreshold) return null;
    const wanted = fallback.behavior === 'static' ? fallback.replicas : Math.max(replicas, fallback.replicas);
    return threshold * wanted;
  }

  #isAway(nowMs: number): boolean {
    const away = this.#options.prometheusAway;
    return away !== undefined && nowMs >= away.fromMs && nowMs < away.untilMs;
  }

  #scale(nowMs: number, wanted: number): void {
    const { speed, startDelayMs, graceMs } = this.#options;
    const staying = this.#workers.filter(({ killAtMs }) => killAtMs === null);
    for (let count = staying.length; count < wanted; count += 1) {
      this.#workers.push(new SimulatedWorker(speed, nowMs + startDelayMs));
    }
    // A ReplicaSet takes pods that are not ready first, then the youngest.
    const leaving = staying.sort((a, b) => b.readyAtMs - a.readyAtMs).slice(0, Math.max(0, staying.length - wanted));
    for (const worker of leaving) worker.killAtMs = nowMs + graceMs;
  }
}

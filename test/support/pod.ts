import { setTimeout as sleep } from 'node:timers/promises';
import type { PodLifecycle, Probe } from '../../tools/deploy/lifecycle/pod-lifecycle.ts';
import type { Cluster } from './cluster.ts';
import type { ProductProcess } from './product-process.ts';

/** Told of a pod when it is over. */
export interface PodEnd {
  readonly app: 'api' | 'worker';
  /** From its creation until its startup probe passed. */
  readonly startMs: number;
  /** From its deletion to its end. */
  readonly stopMs: number;
  readonly exitCode: number | null;
  readonly killed: boolean;
}

/**
 * A process of a cluster that is started, probed and stopped as a kubelet does it, with the numbers of the manifests and
 * in real time: startup probe, then readiness, which alone decides whether an API is in the cluster's `apis`, and liveness;
 * at the end preStop, SIGTERM, and SIGKILL when the grace period is over.
 */
export class Pod {
  readonly process: ProductProcess;
  /** Failed probes that would have had it restarted. */
  readonly restarts: string[] = [];
  readonly #cluster: Cluster;
  readonly #lifecycle: PodLifecycle;
  readonly #managementUrl: string;
  readonly #startMs: number;
  readonly #ready = Promise.withResolvers<void>();
  readonly #over = new AbortController();
  #deleted = false;

  private constructor(
    cluster: Cluster,
    process: ProductProcess,
    lifecycle: PodLifecycle,
    managementUrl: string,
    startMs: number,
  ) {
    this.#cluster = cluster;
    this.process = process;
    this.#lifecycle = lifecycle;
    this.#managementUrl = managementUrl;
    this.#startMs = startMs;
    void this.#probe(lifecycle.readiness, (passed) => this.#setReady(passed));
    void this.#probe(lifecycle.liveness, (passed) => {
      if (!passed && !this.#deleted) this.restarts.push(`${process.app} did not answer ${lifecycle.liveness.path}`);
    });
  }

  /**
   * Creates it. @returns when its startup probe has passed
   * @param managementPort free, where it answers the probes
   * @throws Error when the probe has failed as often as it may
   */
  static async create(
    cluster: Cluster,
    app: 'api' | 'worker',
    lifecycle: PodLifecycle,
    managementPort: number,
  ): Promise<Pod> {
    const createdMs = performance.now();
    const url = `http://127.0.0.1:${managementPort}`;
    const setting = app === 'api' ? 'MILLRACE_MANAGEMENT_PORT' : 'MILLRACE_WORKER_PORT';
    const settings = { [setting]: String(managementPort) };
    const started = app === 'api' ? cluster.addApi(settings) : cluster.addWorker(settings);
    // What the cluster takes for a member at once is one only when it is ready.
    const member = started.then((process) => {
      cluster.takeOut(process);
      return process;
    });
    await Promise.all([member, passes(url, lifecycle.startup)]);
    return new Pod(cluster, await member, lifecycle, url, performance.now() - createdMs);
  }

  /** When its readiness probe has passed for the first time. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /**
   * Deletes it.
   * @param endpointLagMs how long clients are still sent to it; Kubernetes promises nothing about that
   */
  async delete(endpointLagMs: number): Promise<PodEnd> {
    const { preStopMs, terminationGraceMs } = this.#lifecycle;
    const deletedMs = performance.now();
    this.#deleted = true;
    void sleep(endpointLagMs).then(() => this.#takeOut());
    let killed = false;
    const kill = setTimeout(() => {
      killed = true;
      this.process.child.kill('SIGKILL');
    }, terminationGraceMs);
    await sleep(preStopMs);
    this.process.child.kill('SIGTERM');
    const { code } = await this.process.exit;
    clearTimeout(kill);
    this.#over.abort();
    const stopMs = performance.now() - deletedMs;
    return { app: this.process.app, startMs: this.#startMs, stopMs, exitCode: code, killed };
  }

  #setReady(ready: boolean): void {
    if (!ready) this.#takeOut();
    if (!ready || this.#deleted) return;
    this.#ready.resolve();
    const members = this.process.app === 'api' ? this.#cluster.apis : this.#cluster.workers;
    if (!members.includes(this.process)) members.push(this.process);
  }

  #takeOut(): void {
    const members = this.process.app === 'api' ? this.#cluster.apis : this.#cluster.workers;
    if (members.includes(this.process)) this.#cluster.takeOut(this.process);
  }

  /** Tells every pass, and every failure that is the last of as many in a row as the probe allows. */
  async #probe(probe: Probe, tell: (passed: boolean) => void): Promise<void> {
    let failures = 0;
    while (!this.#over.signal.aborted) {
      const passed = await probeOnce(this.#managementUrl, probe);
      failures = passed ? 0 : failures + 1;
      // A deleted pod is out of the endpoints for that alone, with the lag that `delete` has.
      if (passed || (failures === probe.failureThreshold && !this.#deleted)) tell(passed);
      await sleep(probe.periodMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
  }
}

/** @throws Error when the probe has failed as often as it may */
async function passes(url: string, probe: Probe): Promise<void> {
  for (let failures = 0; failures < probe.failureThreshold; failures += 1) {
    await sleep(probe.periodMs);
    if (await probeOnce(url, probe)) return;
  }
  throw new Error(`${url}${probe.path} has not answered in ${probe.failureThreshold * probe.periodMs} ms`);
}

async function probeOnce(url: string, { path, timeoutMs }: Probe): Promise<boolean> {
  const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(timeoutMs) }).catch(() => null);
  await response?.arrayBuffer().catch(() => null);
  return response?.ok === true;
}

import type { Redis } from 'ioredis';
import type { PromptAffinity, TenantAccount } from '#admission';
import {
  exposeRedis,
  type Logger,
  Metrics,
  NO_TRACING,
  releaseVersion,
  startTracing,
  type Tracing,
} from '#observability';
import { type CardStore, type ExpressSource, type RedisHealth, WorkerCommands, type WorkerDirectory } from '#queue';
import { RelayDialer, type RelayDialerOptions, type ReplicaChange } from '#relay';
import { EventLoopDelay } from '../health/event-loop-delay.ts';
import { HealthServer } from '../health/health-server.ts';
import { SharedRelay } from '../jobs/shared-relay.ts';
import { warmUpJobs } from '../jobs/warm-up-jobs.ts';
import { EngineStarts } from '../model/engine-starts.ts';
import { HostedModel } from '../model/hosted-model.ts';
import { memoryLimitOf } from '../model/memory-limit.ts';
import type { ModelReader } from '../model/model-reader.ts';
import type { ServedModel } from '../model/served-model.ts';
import { JobMetrics } from '../observation/attempt-metrics.ts';
import { DeviceWatch } from '../observation/device-watch.ts';
import { readNvidiaDevice } from '../observation/nvidia-device.ts';
import { TracedJobs } from '../observation/traced-jobs.ts';
import { exposeWorker } from '../observation/worker-readings.ts';
import type { ModelOptions, WorkerOptions } from '../worker-options.ts';
import { Heartbeat } from './heartbeat.ts';
import { HostedModels } from './hosted-models.ts';
import { tellParent } from './parent-channel.ts';
import { PresentReplicas } from './present-replicas.ts';
import { untilRedisAnswers } from './until-redis-answers.ts';
import { WorkerStateMachine } from './worker-state.ts';
import { WorkerStatus } from './worker-status.ts';

export interface MillraceWorkerParts {
  readonly options: WorkerOptions;
  readonly logger: Logger;
  readonly reader: ModelReader;
  readonly cards: CardStore;
  readonly directory: WorkerDirectory;
  /** A `producer` connection, for commands. */
  readonly connection: Redis;
  readonly redis: RedisHealth;
  /** Of the API replicas that live, the relay addresses by replica id. */
  readonly relayAddresses: () => Promise<ReadonlyMap<string, string>>;
  /** A model's requests that are due a seat although none is free. */
  readonly dueOf: (model: string) => ExpressSource;
  /** A model's waiting requests whose prompts begin with what a worker has computed. */
  readonly affinityOf: (model: string) => Pick<PromptAffinity, 'bringForward'>;
  readonly accountOf: (tenantId: string) => Pick<TenantAccount, 'reportUsage'>;
}

/** One worker from its start to its end: loads its models, takes jobs while they are ready, drains, stops. */
export class MillraceWorker {
  readonly #parts: MillraceWorkerParts;
  readonly #state: WorkerStateMachine;
  readonly #heartbeat: Heartbeat;
  readonly #health: HealthServer;
  readonly #metrics = new Metrics({ process: 'worker', version: releaseVersion() });
  readonly #models: HostedModels;
  readonly #starts = new EngineStarts(() => [...this.#models].length === 1);
  readonly #status: WorkerStatus;
  readonly #dialer: RelayDialer;
  readonly #relay: SharedRelay;
  readonly #replicas: PresentReplicas;
  #tracing: Tracing = NO_TRACING;
  readonly #eventLoopDelay = new EventLoopDelay();
  readonly #device: DeviceWatch;
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  #commands: WorkerCommands | null = null;
  #started = false;
  #stopping: Promise<void> | null = null;

  constructor(parts: MillraceWorkerParts) {
    this.#parts = parts;
    this.#state = new WorkerStateMachine(parts.logger, 'worker');
    const { options, directory, logger, redis } = parts;
    exposeRedis(
      this.#metrics,
      () => redis.pingMs(),
      () => redis.reconnects,
    );
    const limit = memoryLimitOf(options.memoryLimitBytes);
    this.#models = new HostedModels({
      options,
      limit,
      logger,
      reader: parts.reader,
      host: (served, modelOptions) => this.#host(served, modelOptions),
      publishCard: ({ card }) => parts.cards.put(card),
      onChange: () => this.#heartbeat.beat(),
    });
    this.#dialer = new RelayDialer(this.#dialerOptions());
    this.#relay = new SharedRelay(this.#dialer);
    this.#status = new WorkerStatus({
      workerId: options.workerId,
      state: this.#state,
      models: this.#models,
      limit,
      dialer: this.#dialer,
      eventLoopDelay: this.#eventLoopDelay,
      isStarted: () => this.#started,
    });
    this.#replicas = new PresentReplicas({
      workerId: options.workerId,
      addresses: parts.relayAddresses,
      keepReady: (replicas) => this.#dialer.keepReady(replicas),
    });
    this.#heartbeat = new Heartbeat({
      directory,
      logger,
      record: () => this.#status.record(),
      refresh: async () => {
        const looking = this.serves ? this.#replicas.look() : null;
        await Promise.all([looking, ...[...this.#models].map((model) => model.keepCard())]);
      },
    });
    this.#device = new DeviceWatch({
      read: () => readNvidiaDevice(options.visibleDevices),
      inUse: () => [...this.#models].some(({ serving }) => serving?.engine.ready.description.provider === 'cuda'),
      onProblem: (err) => logger.warn({ err }, 'memory and utilisation of the GPU are not shown'),
    });
    this.#health = new HealthServer({
      liveness: () => this.#status.livenessProblems(),
      readiness: () => this.#status.readinessProblems(),
      stats: (restartWindow) => this.#status.stats(restartWindow),
      metrics: this.#metrics,
    });
  }

  /** Called once, when an engine can not go on and its clients have been told. The process should end. */
  onFatal(listener: (error: Error) => void): void {
    this.#fatalListeners.push(listener);
  }

  /** Whether a thread is stuck in a native call, for whose return `process.exit` would wait. */
  get stuck(): boolean {
    return [...this.#models].some((model) => model.stuck);
  }

  /** Whether some model still takes jobs. */
  get serves(): boolean {
    return [...this.#models].some(({ state }) => state === 'ready');
  }

  /** Settles when jobs are being taken. @throws whatever keeps the worker from it, with the remedy in the message */
  async start(): Promise<void> {
    const { options, cards } = this.#parts;
    await this.#health.listen(options.healthHost, options.healthPort);
    this.#tracing = await startTracing(options.tracing);
    // All of them are looked at before the first one is loaded, which may take minutes.
    const models: HostedModel[] = [];
    for (const model of options.models) {
      this.#progress(`reading model ${model.folder}`);
      models.push(await this.#models.require(model));
    }
    this.#device.expose(this.#metrics);
    exposeWorker(this.#metrics, { models: () => this.#models, relay: () => this.#dialer.stats() });
    for (const { served } of models) {
      await untilRedisAnswers(
        () => cards.put(served.card),
        (message) => this.#progress(message),
      );
    }
    await this.#heartbeat.beat();
    // While threads load weights this one has nothing to do.
    const warm = warmUpJobs().catch((err: unknown) => this.#parts.logger.warn({ err }, 'the first job may be slow'));
    // One after another, each at its peak of memory alone.
    for (const model of models) {
      this.#progress(`loading the weights of ${model.name}`);
      await model.start();
      if (this.#stopping !== null) return;
    }
    await warm;
    this.#started = true;
    void this.#device.look();
    await this.#changed();
    this.#eventLoopDelay.restart();
    this.#commands = this.#listen();
    const managementUrl = this.#health.url;
    this.#parts.logger.info({ managementUrl }, 'health and metrics are served');
    const names = models.map(({ name }) => name);
    await tellParent({ type: 'ready', workerId: options.workerId, models: names, managementUrl });
  }

  /** Takes no further job, gives running ones `graceMs`, ends the rest with an error, and frees everything. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  #host(served: ServedModel, options: ModelOptions): HostedModel {
    const { logger, cards } = this.#parts;
    const worker = this.#parts.options;
    const measured = new JobMetrics(this.#metrics, served.card.model);
    return new HostedModel({
      served,
      options,
      worker,
      logger,
      cards,
      relay: this.#relay,
      observer: this.#tracing.on ? new TracedJobs(this.#tracing, worker.workerId, measured) : measured,
      reportUsage: async ({ tenantId, requestId, promptTokens }, made) => {
        await this.#parts.accountOf(tenantId).reportUsage(requestId, { promptTokens, ...made });
      },
      starts: this.#starts,
      due: this.#parts.dueOf(served.card.model),
      affinity: this.#parts.affinityOf(served.card.model),
      onChange: () => this.#changed(),
      onFatal: (error) => {
        for (const listener of this.#fatalListeners) listener(error);
      },
    });
  }

  #dialerOptions(): RelayDialerOptions {
    const { options } = this.#parts;
    const models = this.#models;
    return {
      workerId: options.workerId,
      // Read at each dial: models come and go.
      get models() {
        return [...models].map(({ name }) => name);
      },
      get slots() {
        return [...models].reduce((sum, model) => sum + model.options.slots, 0);
      },
      get takesOffersOf() {
        return [...models].filter(({ state }) => state === 'ready').map(({ name }) => name);
      },
      takeOffer: (offer) => this.#relay.take(offer),
      token: options.relayToken,
      tls: options.relayTls,
      onReplica: (change) => this.#logReplica(change),
    };
  }

  #listen(): WorkerCommands {
    const { connection, options, logger } = this.#parts;
    return new WorkerCommands({
      redis: connection,
      workerId: options.workerId,
      handle: (command) => this.#models.handle(command),
      onError: (error) => logger.warn({ err: error }, 'a command could not be taken'),
    });
  }

  async #stop(graceMs: number): Promise<void> {
    this.#state.become('draining');
    this.#models.leave();
    await this.#commands?.[Symbol.asyncDispose]();
    await Promise.all([...this.#models].map((model) => model.drain(graceMs)));
    // The last frames go out before the record goes, so that nobody is told of a lost worker.
    await this.#dialer.close();
    await this.#heartbeat.stop();
    await Promise.all([...this.#models].map((model) => model.close()));
    await this.#tracing.close();
    await this.#health.close();
    this.#eventLoopDelay.stop();
    this.#device[Symbol.dispose]();
    this.#state.become('stopped');
  }

  /** A model began or stopped taking jobs: the worker is ready when all that it was started with are. */
  async #changed(): Promise<void> {
    const ready = this.#started && [...this.#models.required].every(({ state }) => state === 'ready');
    const target = ready ? 'ready' : 'loading';
    if (target !== this.#state.current) this.#state.become(target);
    this.#dialer.sayOffersTaken();
    await this.#heartbeat.beat();
  }

  #logReplica({ address, state, why }: ReplicaChange): void {
    const level = state === 'unreachable' ? 'warn' : 'info';
    this.#parts.logger[level]({ address, why }, `API replica is ${state}`);
  }

  #progress(message: string): void {
    this.#parts.logger.info(message);
    void tellParent({ type: 'progress', message });
  }
}

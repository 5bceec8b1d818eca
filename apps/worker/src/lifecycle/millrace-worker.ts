import type { TenantAccount } from '#admission';
import type { WorkerRecord } from '#contracts';
import type { EngineLoss, EngineSupervisor } from '#engine';
import {
  exposeRedis,
  type Logger,
  Metrics,
  NO_TRACING,
  releaseVersion,
  startTracing,
  type Tracing,
} from '#observability';
import { type CardStore, type ExpressSource, JobConsumer, type RedisHealth, type WorkerDirectory } from '#queue';
import { RelayDialer, type ReplicaChange } from '#relay';
import { ConsumptionWatch } from '../health/consumption-watch.ts';
import { EventLoopDelay } from '../health/event-loop-delay.ts';
import { HealthServer, type Problems } from '../health/health-server.ts';
import type { MadeTokens } from '../jobs/attempt.ts';
import { JobRunner } from '../jobs/job-runner.ts';
import type { ReportedRequest } from '../jobs/unsettled-usage.ts';
import { openServedModel, type ServedModel, startEngine } from '../model/served-model.ts';
import { JobMetrics } from '../observation/attempt-metrics.ts';
import { TracedJobs } from '../observation/traced-jobs.ts';
import { exposeWorker } from '../observation/worker-readings.ts';
import type { WorkerOptions } from '../worker-options.ts';
import { Heartbeat } from './heartbeat.ts';
import { tellParent } from './parent-channel.ts';
import { untilRedisAnswers } from './until-redis-answers.ts';
import { WorkerStateMachine } from './worker-state.ts';

export interface MillraceWorkerParts {
  readonly options: WorkerOptions;
  readonly logger: Logger;
  readonly cards: CardStore;
  readonly directory: WorkerDirectory;
  readonly redis: RedisHealth;
  /** A model's requests that are due a seat although none is free. */
  readonly dueOf: (model: string) => ExpressSource;
  readonly accountOf: (tenantId: string) => Pick<TenantAccount, 'reportUsage'>;
}

/** What exists once the model is loaded. */
interface Serving {
  readonly engine: EngineSupervisor;
  readonly dialer: RelayDialer;
  readonly jobs: JobRunner;
  /** Another one each time that the engine's thread was replaced: one that was paused takes no jobs again. */
  consumer: JobConsumer;
}

/** One worker from its start to its end: loads a model, takes jobs while it is ready, drains, stops. */
export class MillraceWorker {
  readonly #parts: MillraceWorkerParts;
  readonly #state: WorkerStateMachine;
  readonly #heartbeat: Heartbeat;
  readonly #health: HealthServer;
  readonly #metrics = new Metrics({ process: 'worker', version: releaseVersion() });
  readonly #consumption = new ConsumptionWatch();
  #tracing: Tracing = NO_TRACING;
  readonly #eventLoopDelay = new EventLoopDelay();
  readonly #startedAtMs = Date.now();
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  #served: ServedModel | null = null;
  #serving: Serving | null = null;
  #engineFailure: Error | null = null;
  #stopping: Promise<void> | null = null;

  constructor(parts: MillraceWorkerParts) {
    this.#parts = parts;
    this.#state = new WorkerStateMachine(parts.logger);
    const { directory, logger, redis } = parts;
    exposeRedis(
      this.#metrics,
      () => redis.pingMs(),
      () => redis.reconnects,
    );
    this.#heartbeat = new Heartbeat({
      directory,
      logger,
      record: () => this.#record(),
      refresh: () => this.#keepCard(),
    });
    this.#health = new HealthServer({
      liveness: () => this.#livenessProblems(),
      readiness: () => this.#readinessProblems(),
      stats: (restartWindow) => this.#stats(restartWindow),
      metrics: this.#metrics,
    });
  }

  /** Called once, when the engine can not go on and its clients have been told. The process should end. */
  onFatal(listener: (error: Error) => void): void {
    this.#fatalListeners.push(listener);
  }

  /** Whether a thread is stuck in a native call, for whose return `process.exit` would wait. */
  get stuck(): boolean {
    return this.#serving !== null && !this.#serving.engine.ended;
  }

  /** Settles when jobs are being taken. @throws whatever keeps the worker from it, with the remedy in the message */
  async start(): Promise<void> {
    const { options, cards, logger } = this.#parts;
    await this.#health.listen(options.healthHost, options.healthPort);
    this.#tracing = await startTracing(options.tracing);
    this.#progress(`reading model ${options.model}`);
    const served = await openServedModel(options);
    await untilRedisAnswers(
      () => cards.put(served.card),
      (message) => this.#progress(message),
    );
    this.#served = served;
    await this.#heartbeat.beat();
    this.#progress(`loading the weights of ${served.model}`);
    const engine = await startEngine(served, options);
    if (this.#stopping !== null) return engine.close();
    this.#serving = this.#serve(served, engine);
    const { description, shape } = engine.ready;
    logger.info({ model: served.model, cardHash: served.cardHash, ...description, shape }, 'model is loaded');
    this.#serving.consumer.start();
    this.#state.become('ready');
    this.#eventLoopDelay.restart();
    await this.#heartbeat.beat();
    const managementUrl = this.#health.url;
    await tellParent({ type: 'ready', workerId: options.workerId, models: [served.model], managementUrl });
  }

  /** Takes no further job, gives running ones `graceMs`, ends the rest with an error, and frees everything. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  #serve(served: ServedModel, engine: EngineSupervisor): Serving {
    const { options, logger } = this.#parts;
    const { model, tokenTable, cardHash } = served;
    const dialer = new RelayDialer({
      workerId: options.workerId,
      models: [model],
      slots: engine.ready.slots,
      token: options.relayToken,
      tls: options.relayTls,
      onReplica: (change) => this.#logReplica(change),
    });
    const measured = new JobMetrics(this.#metrics, model);
    const observer = this.#tracing.on ? new TracedJobs(this.#tracing, options.workerId, measured) : measured;
    const reportUsage = async ({ tenantId, requestId, promptTokens }: ReportedRequest, made: MadeTokens) => {
      await this.#parts.accountOf(tenantId).reportUsage(requestId, { promptTokens, ...made });
    };
    const { prefixSharing } = options;
    const jobs = new JobRunner({ prefixSharing, engine, dialer, tokenTable, cardHash, logger, observer, reportUsage });
    engine.onLoss((loss) => void this.#engineLost(loss));
    engine.onFatal((error) => this.#engineFailed(error));
    const serving = { engine, dialer, jobs, consumer: this.#newConsumer(model, engine, jobs) };
    exposeWorker(this.#metrics, {
      model,
      ready: engine.ready,
      engine: () => engine.stats(),
      enginesReplaced: () => engine.replacedTotal,
      consumer: () => this.#serving?.consumer ?? serving.consumer,
      relay: () => dialer.stats(),
    });
    return serving;
  }

  #newConsumer(model: string, engine: EngineSupervisor, jobs: JobRunner): JobConsumer {
    const { options, logger } = this.#parts;
    return new JobConsumer({
      model,
      redisUrl: options.redisUrl,
      redisCa: options.redisCa,
      concurrency: engine.ready.slots,
      express: options.parkingSlots === 0 ? null : { source: this.#parts.dueOf(model), places: options.parkingSlots },
      lockMs: options.jobLockMs,
      run: (job, signal) => jobs.run(job, signal),
      onError: (error) => logger.warn({ err: error }, 'queue'),
    });
  }

  async #stop(graceMs: number): Promise<void> {
    this.#state.become('draining');
    const serving = this.#serving;
    serving?.consumer.pause();
    if (serving !== null) await this.#heartbeat.beat();
    await serving?.consumer.close(graceMs);
    // The last frames go out before the record goes, so that nobody is told of a lost worker.
    await serving?.dialer.close();
    await this.#heartbeat.stop();
    await serving?.engine.close();
    await this.#tracing.close();
    await this.#health.close();
    this.#eventLoopDelay.stop();
    this.#state.become('stopped');
  }

  /** What ran goes on elsewhere; nothing is taken until another thread has loaded the model. */
  async #engineLost({ error, replaced }: EngineLoss): Promise<void> {
    const { logger } = this.#parts;
    const serving = this.#serving;
    if (serving === null) return;
    logger.error(
      { err: error },
      'the thread of the engine is lost; what ran goes on elsewhere, and another is started',
    );
    serving.consumer.pause();
    serving.jobs.failAll('engine_failed', 'The engine of the worker failed. Send the request again.');
    if (!this.#state.become('loading')) return;
    await Promise.all([this.#heartbeat.beat(), serving.consumer.close(0)]);
    try {
      await replaced;
    } catch {
      return; // The engine says so itself: it has failed.
    }
    if (this.#stopping !== null) return;
    serving.consumer = this.#newConsumer(this.#served?.model ?? '', serving.engine, serving.jobs);
    serving.consumer.start();
    this.#state.become('ready');
    await this.#heartbeat.beat();
  }

  #engineFailed(error: Error): void {
    this.#engineFailure = error;
    this.#parts.logger.fatal({ err: error }, 'the engine failed and can not be started anew: the process ends');
    for (const listener of this.#fatalListeners) listener(error);
  }

  #record(): WorkerRecord {
    const { workerId, slots } = this.#parts.options;
    const served = this.#served;
    const load = this.#serving?.engine.stats();
    const models =
      served === null
        ? []
        : [
            {
              model: served.model,
              cardHash: served.cardHash,
              slots,
              running: load?.running ?? 0,
              waiting: load?.waiting ?? 0,
            },
          ];
    return { workerId, state: this.#state.current, models, startedAtMs: this.#startedAtMs, beatAtMs: Date.now() };
  }

  /** A Redis that lost its data gets the card back with the next beat. */
  async #keepCard(): Promise<void> {
    const served = this.#served;
    if (served === null) return;
    const kept = await this.#parts.cards.refresh(served.cardHash);
    this.#consumption.beat(this.#state.current === 'ready', this.#serving?.consumer.consuming === true);
    if (!kept) await this.#parts.cards.put(served.card);
  }

  #livenessProblems(): Problems {
    const engine = this.#engineFailure === null ? null : `the engine failed: ${this.#engineFailure.message}`;
    return [engine, this.#consumption.problem].filter((problem) => problem !== null);
  }

  #readinessProblems(): Problems {
    const problems: string[] = [...this.#livenessProblems()];
    if (this.#state.current !== 'ready') problems.push(`the worker is ${this.#state.current}`);
    else if (this.#serving?.consumer.consuming !== true) problems.push('no jobs reach the worker: is Redis up?');
    return problems;
  }

  #stats(restartWindow: boolean): object {
    const serving = this.#serving;
    const eventLoopDelay = this.#eventLoopDelay.read();
    if (restartWindow) this.#eventLoopDelay.restart();
    return {
      workerId: this.#parts.options.workerId,
      state: this.#state.current,
      model: this.#served?.model ?? null,
      cardHash: this.#served?.cardHash ?? null,
      engine: serving && { ...serving.engine.stats(), replacedTotal: serving.engine.replacedTotal },
      runner: serving?.engine.ready.description ?? null,
      jobs: serving && { running: serving.jobs.running, ...serving.jobs.counts },
      consumer: serving && {
        consuming: serving.consumer.consuming,
        activeJobs: serving.consumer.activeJobs,
        lockRenewals: serving.consumer.lockRenewals,
        lockLosses: serving.consumer.lockLosses,
        stalledJobs: serving.consumer.stalledJobs,
        expressTotal: serving.consumer.expressTotal,
        reconnects: serving.consumer.reconnects,
      },
      relay: serving?.dialer.stats() ?? null,
      eventLoopDelay,
      rssBytes: process.memoryUsage.rss(),
    };
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

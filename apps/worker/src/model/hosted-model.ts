import type { PromptAffinity } from '#admission';
import type { HostedModelRecord, WorkerRecord, WorkerState } from '#contracts';
import type { EngineLoss, EngineSupervisor } from '#engine';
import { returnFilePages } from '#model-runner/process';
import type { Logger } from '#observability';
import { type CardStore, type ExpressSource, JobConsumer } from '#queue';
import { ConstraintTranslator } from '../constraints/constraint-translator.ts';
import { TranslatingEngine } from '../constraints/translating-engine.ts';
import { ConsumptionWatch } from '../health/consumption-watch.ts';
import { JobRunner, type JobRunnerParts } from '../jobs/job-runner.ts';
import type { SharedRelay } from '../jobs/shared-relay.ts';
import { WorkerStateMachine } from '../lifecycle/worker-state.ts';
import type { ModelOptions, WorkerOptions } from '../worker-options.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { EngineStarts } from './engine-starts.ts';
import { type MemoryNeed, needOnceLoaded } from './memory-need.ts';
import { type ServedModel, startEngine } from './served-model.ts';

export interface HostedModelParts {
  readonly served: ServedModel;
  readonly options: ModelOptions;
  readonly worker: WorkerOptions;
  readonly logger: Logger;
  readonly cards: Pick<CardStore, 'put'>;
  readonly relay: SharedRelay;
  readonly observer: JobRunnerParts['observer'];
  readonly reportUsage: JobRunnerParts['reportUsage'];
  /** Of all engines of the worker. */
  readonly starts: EngineStarts;
  /** Requests that are due a seat although none is free. */
  readonly due: ExpressSource;
  /** Waiting requests whose prompts begin with what a worker has computed. */
  readonly affinity: Pick<PromptAffinity, 'bringForward'>;
  /** It begins or stops taking jobs: everybody shall know. Settles when they do. */
  readonly onChange: () => Promise<void>;
  /** Its engine can not go on, and is not started anew. */
  readonly onFatal: (error: Error) => void;
}

/** What exists once the weights are loaded. */
interface Serving {
  readonly engine: EngineSupervisor;
  readonly jobs: JobRunner;
  readonly translator: ConstraintTranslator;
  /** In front of the engine. */
  readonly translating: TranslatingEngine;
  readonly port: Disposable;
  /** Another one each time that the engine's thread was replaced: one that was paused takes no jobs again. */
  consumer: JobConsumer;
}

/** One model of a worker, from the loading of its weights to their end: an engine's thread, and who feeds it. */
export class HostedModel {
  readonly served: ServedModel;
  readonly options: ModelOptions;
  readonly #parts: HostedModelParts;
  readonly #state: WorkerStateMachine;
  readonly #consumption = new ConsumptionWatch();
  #serving: Serving | null = null;
  #problem: string | null = null;
  #loaded: Promise<void> = Promise.resolve();
  #retired: Promise<void> | null = null;
  #draining: Promise<void> | null = null;

  constructor(parts: HostedModelParts) {
    this.#parts = parts;
    this.served = parts.served;
    this.options = parts.options;
    this.#state = new WorkerStateMachine(parts.logger, `model ${parts.served.card.model}`);
  }

  get name(): string {
    return this.served.card.model;
  }

  get state(): WorkerState {
    return this.#state.current;
  }

  /** Of the host's memory: until it is loaded, what it may come to. */
  get need(): MemoryNeed {
    const { need } = this.served;
    return this.#serving === null ? need : needOnceLoaded(need, this.#serving.engine.ready.description);
  }

  /** Null until the weights are loaded. */
  get serving(): Readonly<Pick<Serving, 'engine' | 'jobs' | 'consumer'>> | null {
    return this.#serving;
  }

  /** Whether jobs reach it. */
  get consuming(): boolean {
    return this.#state.current === 'ready' && this.#serving?.consumer.consuming === true;
  }

  /** Whether its thread is stuck in a native call, for whose return `process.exit` would wait. */
  get stuck(): boolean {
    return this.#serving !== null && !this.#serving.engine.ended;
  }

  /** Settles when jobs are being taken, or `drain` was called. @throws EngineThreadError, caused by ModelLoadError */
  start(): Promise<void> {
    const starting = this.#start();
    this.#loaded = starting.catch(() => {});
    return starting;
  }

  /** Settles when its weights are loaded, or will not be; `close` does not wait for that. */
  get loaded(): Promise<void> {
    return this.#loaded;
  }

  /** Takes no further job. Settles when others know it. */
  retire(): Promise<void> {
    this.#retired ??= this.#retire();
    return this.#retired;
  }

  /** Takes no further job, gives running ones `graceMs`, and has the rest go on elsewhere. */
  drain(graceMs: number): Promise<void> {
    this.#draining ??= this.#drain(graceMs);
    return this.#draining;
  }

  /** Frees everything, once it has drained. */
  async close(): Promise<void> {
    await this.#draining;
    const serving = this.#serving;
    await Promise.all([serving?.engine.close(), serving?.translator.close()]);
    serving?.port[Symbol.dispose]();
    this.#state.become('stopped');
  }

  /** As others find it among the models of a worker. */
  record(): WorkerRecord['models'][number] {
    const { model, hash } = this.served.card;
    return { model, cardHash: hash, slots: this.options.slots, ...this.#load() };
  }

  /** As operators see it. */
  hosted(): HostedModelRecord {
    const { options, state, served } = this;
    const { folder, slots, threads } = options;
    const stuck = state === 'stopped' && this.stuck;
    return {
      ...{ model: served.card.model, folder, slots, threads, memoryBytes: this.need.mostBytes },
      ...this.#load(),
      state: state === 'stopped' ? 'failed' : state,
      problem: stuck ? "its engine's thread does not end; restart the worker" : this.#problem,
    };
  }

  /** Called with every heartbeat: a Redis that lost its data gets the card back. */
  async keepCard(): Promise<void> {
    if (this.#state.current === 'stopped') return;
    const { cards, served } = this.#parts;
    await cards.put(served.card);
    this.#consumption.beat(this.#state.current === 'ready', this.#serving?.consumer.consuming === true);
  }

  /** Why the process should be restarted; null where it should not. */
  get livenessProblem(): string | null {
    if (this.#state.current === 'stopped') return null;
    return this.#problem === null ? this.#consumption.problem : `the engine failed: ${this.#problem}`;
  }

  /** Why it takes no jobs; null where it does. */
  get readinessProblem(): string | null {
    if (this.#state.current !== 'ready') return `the model ${this.name} is ${this.#state.current}`;
    return this.consuming ? null : `no jobs reach the worker for ${this.name}: is Redis up?`;
  }

  stats(): object {
    const serving = this.#serving;
    return {
      model: this.name,
      state: this.#state.current,
      cardHash: this.served.card.hash,
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
        offeredTotal: serving.consumer.offeredTotal,
        broughtForwardTotal: serving.consumer.broughtForwardTotal,
      },
    };
  }

  async #start(): Promise<void> {
    const { served, logger, options, worker, starts } = this.#parts;
    let engine: EngineSupervisor;
    // What the start of the process has left behind, before the weights take their place.
    collectGarbage();
    returnFilePages(null);
    try {
      engine = await startEngine(served, options, worker, starts, logger);
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#state.become('stopped');
      throw error;
    }
    if (this.#retired !== null) return engine.close();
    this.#serving = this.#serve(engine);
    const { description, shape } = engine.ready;
    const { card } = served;
    const names = { model: card.model, cardHash: card.hash };
    logger.info({ ...names, threads: options.threads, need: this.need, ...description, shape }, 'model is loaded');
    this.#serving.consumer.start();
    this.#state.become('ready');
    await this.#parts.onChange();
  }

  #load(): { running: number; waiting: number } {
    const load = this.#serving?.engine.stats();
    return { running: load?.running ?? 0, waiting: load?.waiting ?? 0 };
  }

  #serve(engine: EngineSupervisor): Serving {
    const { served, worker, relay, logger, observer, reportUsage } = this.#parts;
    const { tokenTable, card } = served;
    const { prefixSharing } = worker;
    const port = relay.port(card.model);
    port.onOffer((job, due) => this.#serving?.consumer.takeOffered(job, due) ?? false);
    const translator = new ConstraintTranslator();
    const translating = new TranslatingEngine(engine, translator);
    const parts = {
      prefixSharing,
      engine: translating,
      dialer: port,
      tokenTable,
      cardHash: card.hash,
      logger,
      observer,
      reportUsage,
    };
    const jobs = new JobRunner(parts);
    engine.onLoss((loss) => void this.#engineLost(loss));
    engine.onFatal((error) => this.#engineFailed(error));
    return { engine, jobs, translator, translating, port, consumer: this.#newConsumer(engine, jobs) };
  }

  #newConsumer(engine: EngineSupervisor, jobs: JobRunner): JobConsumer {
    const { worker, options, logger, due, affinity } = this.#parts;
    return new JobConsumer({
      model: this.name,
      redisUrl: worker.redisUrl,
      redisCa: worker.redisCa,
      concurrency: engine.ready.slots,
      express: options.parkingSlots === 0 ? null : { source: due, places: options.parkingSlots },
      lockMs: worker.jobLockMs,
      bringForward: (connection) => affinity.bringForward(worker.workerId, connection),
      run: (job, signal, by) => jobs.run(job, signal, by === 'offer'),
      onError: (error) => logger.warn({ err: error, model: this.name }, 'queue'),
    });
  }

  async #retire(): Promise<void> {
    this.#state.become('draining');
    this.#serving?.consumer.pause();
    await this.#parts.onChange();
  }

  async #drain(graceMs: number): Promise<void> {
    await this.retire();
    await this.#serving?.consumer.close(graceMs);
  }

  /** What ran goes on elsewhere; nothing is taken until another thread has loaded the model. */
  async #engineLost({ error, replaced }: EngineLoss): Promise<void> {
    const { logger, onChange } = this.#parts;
    const serving = this.#serving;
    if (serving === null) return;
    logger.error(
      { err: error, model: this.name },
      'the thread of the engine is lost; what ran goes on elsewhere, and another is started',
    );
    serving.consumer.pause();
    serving.translating.forget();
    serving.jobs.failAll('engine_failed', 'The engine of the worker failed. Send the request again.');
    if (!this.#state.become('loading')) return;
    await Promise.all([onChange(), serving.consumer.close(0)]);
    try {
      await replaced;
    } catch {
      return; // The engine says so itself: it has failed.
    }
    if (this.#retired !== null) return;
    serving.consumer = this.#newConsumer(serving.engine, serving.jobs);
    serving.consumer.start();
    this.#state.become('ready');
    await onChange();
  }

  #engineFailed(error: Error): void {
    this.#problem = error.message;
    this.#parts.logger.fatal(
      { err: error, model: this.name },
      'the engine failed and can not be started anew: the process ends',
    );
    this.#parts.onFatal(error);
  }
}

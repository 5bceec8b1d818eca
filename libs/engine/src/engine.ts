import type { ModelRunner } from '#contracts';
import { EngineCounters } from './engine-counters.ts';
import { failureOf, messageOf } from './engine-failures.ts';
import type { EngineOptions } from './engine-options.ts';
import { type EngineParts, engineParts } from './engine-parts.ts';
import type { EnginePort } from './engine-port.ts';
import type { EngineRequest } from './engine-request.ts';
import { OpenRequests } from './open-requests.ts';
import { RunRecovery } from './run-recovery.ts';
import type { SchedulerOutput } from './scheduler/scheduler-output.ts';
import type { Sequence } from './sequences/sequence.ts';
import type { EngineStats, StepOutput } from './step-output.ts';
import { StepUpdate } from './step-update.ts';

/**
 * Runs requests on a model, many at a time, in the caller's thread. Nothing happens by itself: whoever owns it calls
 * `step` while that returns true. With a runner that blocks its thread a step makes no promise.
 */
export class Engine implements EnginePort {
  readonly runner: ModelRunner;
  readonly #parts: EngineParts;
  readonly #requests: OpenRequests;
  readonly #update: StepUpdate;
  readonly #recovery: RunRecovery;
  readonly #counters: EngineCounters;
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  readonly #readStats = () => this.stats();
  #runEnded: () => void = () => {};
  #fatal: Error | null = null;
  #runBeganAtMs = 0;
  #stepInFlight: Promise<boolean> | null = null;

  constructor(options: EngineOptions) {
    this.runner = options.runner;
    this.#parts = engineParts(options);
    this.#requests = new OpenRequests(this.#parts);
    this.#update = new StepUpdate(this.#parts);
    this.#recovery = new RunRecovery(this.runner, this.#requests);
    this.#counters = new EngineCounters(this.#parts, this.#update);
  }

  submit(input: EngineRequest): void {
    if (this.#fatal === null) this.#requests.submit(input);
    else this.#parts.outbox.failed(failureOf(input, this.#fatal.message));
  }

  cancel(requestId: string, epoch: number): void {
    this.#requests.cancel(requestId, epoch);
  }

  onStep(listener: (output: StepOutput) => void): void {
    this.#parts.outbox.addListener(listener);
  }

  onFatal(listener: (error: Error) => void): void {
    this.#fatalListeners.push(listener);
  }

  /** Called after each run and before its tokens are chosen: the last moment for a cancel to stop them. */
  onRunEnd(listener: () => void): void {
    this.#runEnded = listener;
  }

  stats(): EngineStats {
    return this.#counters.read();
  }

  /** One step: schedule, run, sample, detokenize, publish. False when there was nothing to run; a promise only where the runner makes one. */
  step(): boolean | Promise<boolean> {
    if (this.#fatal !== null) return this.#publishIdle();
    try {
      this.#requests.dropCancelled();
      const work = this.#parts.scheduler.schedule();
      if (work.kind === 'idle') return this.#publishIdle();
      this.#makeReady(work);
      const run = this.#run(work);
      return run === null ? this.#updateFromOutput(work) : this.#trackStep(run);
    } catch (error) {
      return this.#die(error);
    }
  }

  /** Steps until there is nothing left to do. */
  async runUntilIdle(): Promise<void> {
    while (await this.step());
  }

  async close(): Promise<void> {
    this.#requests.cancelAll();
    await this.#stepInFlight;
    this.#requests.dropCancelled();
    this.#publishIdle();
    await this.runner.close();
  }

  /** Makes room for what the run computes, and tells whoever waits for a prompt to begin that it does. */
  #makeReady(work: SchedulerOutput): void {
    const { memory, scheduler, outbox } = this.#parts;
    if (work.kind === 'prefill') {
      outbox.publishWaiting(this.#counters.steps, this.#readStats);
      memory.makeRoom(work.chunkTokens);
      if (work.sequence.untouched && work.part === 0) this.#tellSeat(work.sequence);
    } else if (work.kind === 'verify') memory.makeRoom(1 + work.proposals.length);
    else memory.makeRoom(1, scheduler.seating.slots.occupied);
  }

  #tellSeat({ request, choice }: Sequence): void {
    const { requestId, epoch } = request.input;
    this.#parts.outbox.seated({ requestId, epoch, choice, atMs: performance.timeOrigin + performance.now() });
  }

  /** Starts the run. Null when it is complete already; otherwise the rest of the step. */
  #run(work: SchedulerOutput): Promise<boolean> | null {
    let run: unknown;
    this.#runBeganAtMs = performance.now();
    try {
      run = this.#parts.runs.start(work);
    } catch (error) {
      return this.#recover(work, error);
    }
    if (!(run instanceof Promise)) return null;
    return run.then(
      () => this.#updateFromOutput(work),
      (error: unknown) => this.#recover(work, error),
    );
  }

  #trackStep(rest: Promise<boolean>): Promise<boolean> {
    const step = rest.catch((error: unknown) => this.#die(error));
    this.#stepInFlight = step;
    return step;
  }

  #updateFromOutput(work: SchedulerOutput): boolean {
    const runMs = performance.now() - this.#runBeganAtMs;
    const { outbox } = this.#parts;
    const { ended, broken } = this.#update;
    this.#update.learn(work, runMs);
    this.#runEnded();
    this.#counters.steps += 1;
    this.#update.take(work, runMs);
    // Only now do rows move.
    this.#requests.failAll(broken);
    this.#requests.finish(ended);
    this.#requests.dropCancelled();
    if (work.kind === 'decode' || work.kind === 'verify') {
      outbox.publishSoon(this.#counters.steps, this.#readStats, runMs);
    } else outbox.publish(this.#counters.steps, this.stats());
    return true;
  }

  async #recover(work: SchedulerOutput, error: unknown): Promise<boolean> {
    this.#runEnded();
    this.#counters.steps += 1;
    await this.#recovery.after(work, error);
    this.#parts.outbox.publish(this.#counters.steps, this.stats());
    return true;
  }

  #publishIdle(): boolean {
    this.#parts.outbox.publish(this.#counters.steps, this.stats());
    return false;
  }

  #die(cause: unknown): boolean {
    const error = new Error(`the engine can not go on: ${messageOf(cause)}`, { cause });
    this.#fatal = error;
    this.#requests.lose(error.message);
    this.#publishIdle();
    for (const listener of this.#fatalListeners) listener(error);
    return false;
  }
}

import type { WorkerRecord } from '#contracts';
import type { RelayDialer } from '#relay';
import type { EventLoopDelay } from '../health/event-loop-delay.ts';
import type { Problems } from '../health/health-server.ts';
import type { MemoryLimit } from '../model/memory-limit.ts';
import type { HostedModels } from './hosted-models.ts';
import type { WorkerStateMachine } from './worker-state.ts';

export interface WorkerStatusParts {
  readonly workerId: string;
  readonly state: WorkerStateMachine;
  readonly models: HostedModels;
  readonly limit: MemoryLimit;
  readonly dialer: Pick<RelayDialer, 'stats'>;
  readonly eventLoopDelay: EventLoopDelay;
  /** Whether all models of the start were loaded. */
  readonly isStarted: () => boolean;
}

/** What a worker tells of itself: to API replicas and operators by its record in Redis, to who runs it by its health. */
export class WorkerStatus {
  readonly #parts: WorkerStatusParts;
  readonly #startedAtMs = Date.now();

  constructor(parts: WorkerStatusParts) {
    this.#parts = parts;
  }

  /** Others count what a ready worker lists; so it lists what it takes jobs for, as soon as it takes any. */
  record(): WorkerRecord {
    const { workerId, models, isStarted } = this.#parts;
    const { current } = this.#parts.state;
    const leaving = current === 'draining' || current === 'stopped';
    const all = [...models].filter(({ state }) => state !== 'stopped' && (leaving || state !== 'draining'));
    const taking = all.filter(({ state }) => state === 'ready');
    const ready = taking.length > 0 || (all.length === 0 && isStarted());
    const state = leaving ? current : ready ? 'ready' : 'loading';
    const { countsCaches, bytes } = this.#parts.limit;
    return {
      workerId,
      state,
      models: (state === 'ready' ? taking : all).map((model) => model.record()),
      holding: {
        models: models.records(),
        memoryLimitBytes: countsCaches ? bytes : null,
        rssBytes: process.memoryUsage.rss(),
      },
      startedAtMs: this.#startedAtMs,
      beatAtMs: Date.now(),
    };
  }

  /** Why the process should be restarted. */
  livenessProblems(): Problems {
    return [...this.#parts.models].map((model) => model.livenessProblem).filter((problem) => problem !== null);
  }

  /** Why jobs do not reach all models that it was started with. */
  readinessProblems(): Problems {
    const { state, models } = this.#parts;
    const problems: string[] = [...this.livenessProblems()];
    if (state.current !== 'ready') problems.push(`the worker is ${state.current}`);
    const unready = [...models.required].map((model) => model.readinessProblem);
    return [...problems, ...unready.filter((problem) => problem !== null)];
  }

  /** @param restartWindow begins a new window for the event loop's delay */
  stats(restartWindow: boolean): object {
    const { workerId, state, dialer, eventLoopDelay } = this.#parts;
    const delay = eventLoopDelay.read();
    if (restartWindow) eventLoopDelay.restart();
    const models = [...this.#parts.models].map((model) => model.stats());
    return {
      // The first one's, for whoever knows of one model only.
      ...(models[0] ?? { model: null, cardHash: null, engine: null, runner: null, jobs: null, consumer: null }),
      workerId,
      state: state.current,
      models,
      relay: dialer.stats(),
      eventLoopDelay: delay,
      rssBytes: process.memoryUsage.rss(),
    };
  }
}

import type { WorkerState } from '#contracts';
import type { Logger } from '#observability';

/**
 * `loading → ready → draining → stopped`; back to `loading` when the engine's thread has to be replaced. A worker may stop
 * from any state, and `stopped` is the only end.
 */
const NEXT: Record<WorkerState, readonly WorkerState[]> = {
  loading: ['ready', 'draining', 'stopped'],
  ready: ['loading', 'draining', 'stopped'],
  draining: ['stopped'],
  stopped: [],
};

/** Where the worker stands; the only place that changes it, and logs it. */
export class WorkerStateMachine {
  readonly #logger: Logger;
  #state: WorkerState = 'loading';

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get current(): WorkerState {
    return this.#state;
  }

  /** @returns false, and changes nothing, where the step is not allowed */
  become(state: WorkerState): boolean {
    if (!NEXT[this.#state].includes(state)) return false;
    this.#logger.info({ from: this.#state, state }, `worker is ${state}`);
    this.#state = state;
    return true;
  }
}

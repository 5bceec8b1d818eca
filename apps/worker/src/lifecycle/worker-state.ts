import type { WorkerState } from '#contracts';
import type { Logger } from '#observability';

/**
 * `loading → ready → draining → stopped`; back to `loading` when an engine's thread has to be replaced. A worker, and each of
 * its models, may stop from any state, and `stopped` is the only end.
 */
const NEXT: Record<WorkerState, readonly WorkerState[]> = {
  loading: ['ready', 'draining', 'stopped'],
  ready: ['loading', 'draining', 'stopped'],
  draining: ['stopped'],
  stopped: [],
};

/** Where a worker, or one of its models, stands; the only place that changes it, and logs it. */
export class WorkerStateMachine {
  readonly #logger: Logger;
  readonly #subject: string;
  #state: WorkerState = 'loading';

  /** @param subject whose state it is, for logs */
  constructor(logger: Logger, subject: string) {
    this.#logger = logger;
    this.#subject = subject;
  }

  get current(): WorkerState {
    return this.#state;
  }

  /** @returns false, and changes nothing, where the step is not allowed */
  become(state: WorkerState): boolean {
    if (!NEXT[this.#state].includes(state)) return false;
    this.#logger.info({ from: this.#state, state }, `${this.#subject} is ${state}`);
    this.#state = state;
    return true;
  }
}

import { MillraceError } from '#contracts';

/** The stream of the worker that ran an attempt broke; another worker may take the request over. */
export class WorkerLostError extends MillraceError {
  readonly workerId: string;
  /** Of the process that ran it; empty when it did not say. One that was started anew under the same id is another. */
  readonly processId: string;

  constructor(workerId: string, why: string, processId = '') {
    super('worker_lost', `Worker ${workerId} was lost while it ran the request (${why}). The request can be retried.`);
    this.workerId = workerId;
    this.processId = processId;
  }
}

import { MillraceError } from '#contracts';

/** The stream of the worker that ran an attempt broke; another worker may take the request over. */
export class WorkerLostError extends MillraceError {
  readonly workerId: string;

  constructor(workerId: string, why: string) {
    super('worker_lost', `Worker ${workerId} was lost while it ran the request (${why}). The request can be retried.`);
    this.workerId = workerId;
  }
}

/** A job that a worker will not run because it can not be sure to read it as its writer meant it. */
export class JobRefusedError extends Error {
  readonly code = 'job_refused';
  readonly jobId: string;

  constructor(jobId: string, problem: string) {
    super(`Job ${jobId} is refused: ${problem}`);
    this.name = 'JobRefusedError';
    this.jobId = jobId;
  }
}

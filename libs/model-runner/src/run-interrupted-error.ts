/**
 * Thrown by a call that `interruptRun` stopped. The tokens that the named slots held before the call are still there, so
 * the same call may be made again.
 */
export class RunInterruptedError extends Error {
  readonly code = 'run_interrupted';

  constructor(options: { cause?: unknown } = {}) {
    super('The run was interrupted from another thread; the same call may be made again.', options);
    this.name = 'RunInterruptedError';
  }
}

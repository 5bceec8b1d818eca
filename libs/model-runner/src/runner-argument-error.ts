/** A call to a runner with arguments it can never serve; refused before any native code sees them. */
export class RunnerArgumentError extends RangeError {
  readonly code = 'runner_argument';

  constructor(problem: string) {
    super(problem);
    this.name = 'RunnerArgumentError';
  }
}

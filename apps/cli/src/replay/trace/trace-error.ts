import { StartError } from '../../start-error.ts';

/** A trace that can not be replayed; the message names file and line, and what to do. */
export class TraceError extends StartError {
  constructor(place: string, problem: string, remedy: string, options?: ErrorOptions) {
    super(`${place}: ${problem} ${remedy}`, options);
    this.name = 'TraceError';
  }
}

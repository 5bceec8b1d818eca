/** A regular expression that is not one, or uses what no automaton can do. */
export class PatternError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PatternError';
  }
}

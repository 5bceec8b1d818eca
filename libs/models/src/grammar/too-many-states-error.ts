/** The texts of a grammar that an automaton takes, too, would be written with more parts than allowed. Never leaves the translation. */
export class TooManyStatesError extends Error {
  override readonly name = 'TooManyStatesError';
}

/** A mask would take too long to make: too many alternatives of the grammar go on side by side. */
export class GrammarWorkError extends Error {
  override readonly name = 'GrammarWorkError';

  constructor() {
    super('too many alternatives begin alike; let them differ earlier, or make the schema or grammar smaller');
  }
}

/** A mask would take too long to make: too many alternatives of the grammar go on side by side. */
export class GrammarWorkError extends Error {
  override readonly name = 'GrammarWorkError';

  constructor() {
    super(
      'too many alternatives of the schema begin alike; tell them apart by an earlier property, or make it smaller',
    );
  }
}

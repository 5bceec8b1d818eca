import { MillraceError } from '#contracts';

/** What Redis holds under a card's hash is not that card: nothing may be tokenized with it. */
export class CardCorruptError extends MillraceError {
  readonly hash: string;

  constructor(hash: string, problem: string, cause?: unknown) {
    super(
      'unavailable',
      `The model card ${hash} in Redis is unusable: ${problem}. Delete its key; a worker that serves the model stores it again.`,
      { cause },
    );
    this.hash = hash;
  }
}

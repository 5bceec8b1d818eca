import type { ResumedChoice } from '../relay-ports.ts';
import type { RefusalCause } from './refusal-cause.ts';

const ENDED = -1;

/** The part of the fence that knows tokens: for each choice, which index comes next and whether it has ended. */
export class ChoiceFence {
  readonly #nextIndex: number[];
  #openChoices: number;

  /** @param resume what an earlier attempt delivered of each choice: the fence begins behind it */
  constructor(choices: number, resume: readonly ResumedChoice[]) {
    this.#nextIndex = Array.from({ length: choices }, (_, choice) => {
      const delivered = resume[choice];
      return delivered?.finished ? ENDED : (delivered?.tokenIds.length ?? 0);
    });
    this.#openChoices = this.#nextIndex.filter((next) => next !== ENDED).length;
  }

  /** Takes the tokens `firstIndex … firstIndex + tokens - 1` of `choice`, or says why not and changes nothing. */
  advance(choice: number, firstIndex: number, tokens: number): RefusalCause | null {
    const next = this.#nextIndex[choice];
    if (next === undefined) return 'unknown_choice';
    if (next === ENDED) return 'after_finish';
    if (firstIndex < next) return 'repeated_index';
    if (firstIndex > next) return 'skipped_index';
    this.#nextIndex[choice] = next + tokens;
    return null;
  }

  /** Ends `choice`, or says why not and changes nothing. */
  finish(choice: number): RefusalCause | null {
    const next = this.#nextIndex[choice];
    if (next === undefined) return 'unknown_choice';
    if (next === ENDED) return 'after_finish';
    this.#nextIndex[choice] = ENDED;
    this.#openChoices -= 1;
    return null;
  }

  get finished(): boolean {
    return this.#openChoices === 0;
  }

  /** Index of the token that may come next; -1 after the end. */
  nextIndex(choice: number): number {
    return this.#nextIndex[choice] ?? ENDED;
  }
}

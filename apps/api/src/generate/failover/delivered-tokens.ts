import type { ResumedChoice } from '#relay';

/** What of an answer has reached this replica: ids only, so that another worker can go on behind it. */
export class DeliveredTokens {
  readonly #choices: { readonly tokenIds: number[]; finished: boolean }[];
  #total = 0;

  constructor(choices: number) {
    this.#choices = Array.from({ length: choices }, () => ({ tokenIds: [], finished: false }));
  }

  /** Tokens of all choices. */
  get total(): number {
    return this.#total;
  }

  add(choice: number, tokenIds: readonly number[]): void {
    const delivered = this.#choices[choice];
    if (delivered === undefined) return;
    for (const tokenId of tokenIds) delivered.tokenIds.push(tokenId);
    this.#total += tokenIds.length;
  }

  finish(choice: number): void {
    const delivered = this.#choices[choice];
    if (delivered !== undefined) delivered.finished = true;
  }

  /** Whether the end of every choice was delivered. */
  get complete(): boolean {
    return this.#choices.every(({ finished }) => finished);
  }

  /** A copy for the next attempt; empty when there is nothing to go on behind. */
  resume(): ResumedChoice[] {
    if (this.#choices.every(({ tokenIds, finished }) => tokenIds.length === 0 && !finished)) return [];
    return this.#choices.map(({ tokenIds, finished }) => ({ tokenIds: [...tokenIds], finished }));
  }
}

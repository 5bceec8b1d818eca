import type { DeviceLogits, RowCandidates, RowWish } from '#contracts';
import { MASS_TOLERANCE, NEAR_NATS } from '#contracts/ports';

export interface HiddenLogitsOptions {
  /** Largest logits that come over of a row. */
  readonly count: number;
  /** Largest of all tokens where some are not allowed; `count` by default. */
  readonly topCount?: number;
  readonly mostListed?: number;
  /** By how much its sums are wrong, of what they may be: −1 to 1. */
  readonly error?: number;
}

/** Logits as a device keeps them, for tests: rows are written to `rows`, and `logits` has those that were fetched. */
export class HiddenLogits implements DeviceLogits {
  /** [slots, vocabularySize] */
  readonly rows: Float32Array;
  readonly mostListed: number;
  wholeRows = 0;
  readonly #logits: Float32Array;
  readonly #vocabularySize: number;
  readonly #options: HiddenLogitsOptions;

  /** @param logits [slots, vocabularySize] of the runner */
  constructor(logits: Float32Array, vocabularySize: number, options: HiddenLogitsOptions) {
    this.rows = new Float32Array(logits.length);
    this.#logits = logits;
    this.#vocabularySize = vocabularySize;
    this.#options = options;
    this.mostListed = options.mostListed ?? vocabularySize;
  }

  select(wishes: readonly RowWish[]): readonly RowCandidates[] {
    return wishes.map((wish, row) => this.#candidates(this.#row(row), wish));
  }

  fetchRow(row: number): void {
    this.wholeRows += 1;
    this.#logits.set(this.#row(row), row * this.#vocabularySize);
  }

  #row(row: number): Float32Array {
    return this.rows.subarray(row * this.#vocabularySize, (row + 1) * this.#vocabularySize);
  }

  #candidates(row: Float32Array, { allowed, listed, inverseTemperature }: RowWish): RowCandidates {
    if (listed.length > this.mostListed) throw new Error(`${listed.length} tokens are listed`);
    const { count, topCount = count, error = 0 } = this.#options;
    const isAllowed = (token: number) => allowed === null || (allowed[token >>> 5] & (1 << (token & 31))) !== 0;
    const masked = row.map((logit, token) => (isAllowed(token) ? logit : Number.NEGATIVE_INFINITY));
    const largest = candidatesOf(masked, count);
    const top = allowed === null ? largest : candidatesOf(row, topCount);
    const exponents = Array.from(masked, (logit) => (logit - (largest.logits[0] ?? 0)) * inverseTemperature);
    const wrong = 1 + 0.9 * error * MASS_TOLERANCE;
    const sum = (lowest: number) =>
      Math.fround(exponents.reduce((total, x) => (x > lowest ? total + Math.exp(x) : total), 0) * wrong);
    const most = row.reduce((a, b) => Math.max(a, b));
    return {
      ...largest,
      complete: largest.logits.length === row.length,
      listedLogits: Float32Array.from(listed, (token) => row[token] ?? Number.NaN),
      topLogits: top.logits,
      topTokenIds: top.tokenIds,
      logSumExp: most + Math.log(row.reduce((total, logit) => total + Math.exp(logit - most), 0)),
      mass: {
        all: sum(Number.NEGATIVE_INFINITY),
        nearLow: sum(1e-4 - NEAR_NATS),
        nearHigh: sum(-1e-4 - NEAR_NATS),
      },
    };
  }
}

/** Of equals the later one first: no promise is made which of them come. */
function candidatesOf(row: Float32Array, count: number): { logits: Float32Array; tokenIds: Int32Array } {
  const tokenIds = Int32Array.from(row.keys())
    .sort((a, b) => (row[a] === row[b] ? b - a : row[b] < row[a] ? -1 : 1))
    .subarray(0, count);
  return { logits: Float32Array.from(tokenIds, (token) => row[token] ?? 0), tokenIds };
}

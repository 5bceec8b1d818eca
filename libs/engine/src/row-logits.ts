import type { ModelRunner } from '#contracts';
import type { SelectedRow } from './sampling/known-tokens.ts';
import { type ListedTokens, listedTokens } from './sampling/listed-tokens.ts';
import { GREEDY_TEMPERATURE } from './sampling/sampler.ts';
import type { Sequence } from './sequences/sequence.ts';

/** The logits of one row of a run. */
export interface RowLogits {
  /** [vocabularySize], valid until the next run. With logits on a device it is what comes over then. */
  whole(): Float32Array;
  /** What a device selected of them for the choice at hand; null where the whole row is to be looked at. */
  readonly selected: SelectedRow | null;
}

/** Logits that are in memory. @param logits [vocabularySize] */
export function wholeRow(logits: Float32Array): RowLogits {
  return { whole: () => logits, selected: null };
}

/** What is wanted of a row for a choice. */
interface ChoiceWish {
  readonly allowed: Int32Array | null;
  readonly listed: ListedTokens;
  readonly inverseTemperature: number;
}

const NOTHING = { allowed: null, listed: new Int32Array(0), inverseTemperature: 0 };

/** The logits that a runner's runs leave, row by row: in host memory, or what comes over of them from a device. */
export class RunLogits {
  readonly #runner: ModelRunner;
  /** Views of the runner's logits; a prefill's are in row 0. */
  readonly #rows: readonly Float32Array[];
  readonly rows: RowLogits[];

  constructor(runner: ModelRunner) {
    const { logits } = runner;
    const { vocabularySize } = runner.shape;
    this.#runner = runner;
    this.#rows = Array.from({ length: logits.length / vocabularySize }, (_, row) =>
      logits.subarray(row * vocabularySize, (row + 1) * vocabularySize),
    );
    this.rows = this.#rows.map((_, row) => this.#row(row, null));
  }

  /**
   * After a run: has what the choices need selected, where logits are on a device.
   * @param sequences of the rows 0 … n−1; null for those that choose nothing
   * @param masksMayWait leaves rows out whose masks are not made: time for that comes behind this, and then they are looked at whole
   * @throws what the runner throws
   */
  select(sequences: readonly (Sequence | null)[], masksMayWait: boolean): void {
    const { deviceLogits } = this.#runner;
    if (deviceLogits == null) return;
    const { mostListed } = deviceLogits;
    const wishes = sequences.map((sequence) => (sequence === null ? null : wishOf(sequence, mostListed, masksMayWait)));
    const isWanted = wishes.some((wish) => wish !== null);
    const selected = isWanted
      ? deviceLogits.select(wishes.map((wish) => (wish === null ? NOTHING : { ...wish, listed: wish.listed.tokenIds })))
      : [];
    wishes.forEach((wish, row) => {
      const candidates = selected[row];
      // Sums are no numbers where a logit is none: then the row itself tells what is wrong.
      const isUsable = wish !== null && candidates !== undefined && Number.isFinite(candidates.logSumExp);
      this.rows[row] = this.#row(row, isUsable ? { candidates, listed: wish.listed } : null);
    });
  }

  #row(row: number, selected: SelectedRow | null): RowLogits {
    const whole = () => {
      this.#runner.deviceLogits?.fetchRow(row);
      return this.#rows[row];
    };
    return { whole, selected };
  }
}

/** Null where the whole row is looked at: too many tokens may be raised, or the constraint has something to say or to do first. */
function wishOf(sequence: Sequence, mostListed: number, masksMayWait: boolean): ChoiceWish | null {
  const { sampling } = sequence.request.input;
  const listed = listedTokens(sampling, sequence.penalties, mostListed);
  if (listed === null) return null;
  let allowed: Int32Array | null;
  try {
    if (masksMayWait && sequence.constraint?.prepare(0) === false) return null;
    allowed = sequence.constraint?.allowedTokens() ?? null;
  } catch {
    return null; // whoever chooses asks again, and tells the request
  }
  const isDrawn = sampling.temperature >= GREEDY_TEMPERATURE;
  return { allowed, listed, inverseTemperature: isDrawn ? 1 / sampling.temperature : 0 };
}

/** Tokens nearer than this to the likeliest one, in nats, are what draws are mostly about. */
export const NEAR_NATS = 16;

/** What is wanted of a row beside its largest logits. */
export interface RowWish {
  /** Bits of the tokens among which the largest are looked for: token t is bit t % 32 of word t / 32. Null for all tokens. */
  readonly allowed: Int32Array | null;
  /** Tokens whose logits come over wherever they stand, allowed or not; at most `mostListed`. */
  readonly listed: Int32Array;
  /** Of the draw that the row is for; 0 where none is made, and no mass is wanted. */
  readonly inverseTemperature: number;
}

/** Of a row: its largest logits, and what can be known of the others. Valid until the next selection. */
export interface RowCandidates {
  /** [n] the largest logits of allowed tokens, largest first. Whatever is not among them is not above the last. */
  readonly logits: Float32Array;
  /** [n] */
  readonly tokenIds: Int32Array;
  /** Every token is among the candidates. */
  readonly complete: boolean;
  /** [listed] logits of the tokens that were listed. */
  readonly listedLogits: Float32Array;
  /** [m] the same as the candidates where all tokens are allowed, else the largest of all. */
  readonly topLogits: Float32Array;
  /** [m] */
  readonly topTokenIds: Int32Array;
  /** log Σ exp(logit) of all tokens, within 1e-5. NaN where a logit is NaN or +Infinity, or all are −Infinity. */
  readonly logSumExp: number;
  /**
   * Σ exp((logit − largest) · inverseTemperature) of allowed tokens: of all of them, and of those whose exponent is above −NEAR_NATS, which is
   * between the two bounds. Each within `MASS_TOLERANCE` of itself.
   */
  readonly mass: { readonly all: number; readonly nearLow: number; readonly nearHigh: number };
}

/** Relative error of the sums that a device makes: its exp is right within some units of the last place of float32. */
export const MASS_TOLERANCE = 1e-5;

/**
 * Logits that stay in a device's memory. After a prefill (row 0) or a decode run (its rows) what choices need of them is selected there, and
 * only that comes over; a whole row on demand.
 */
export interface DeviceLogits {
  /** Most tokens that can be listed for a row. */
  readonly mostListed: number;
  /** Rows that came over whole so far. */
  readonly wholeRows: number;
  /** @param wishes of the rows 0 … n−1 @throws what a run throws */
  select(wishes: readonly RowWish[]): readonly RowCandidates[];
  /** Brings a row to where `logits` has it. @throws what a run throws */
  fetchRow(row: number): void;
}

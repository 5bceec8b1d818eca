import type { BoundRun, DeviceAccess, SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { DecodeInputs } from './decode-inputs.ts';
import { DecodeRuns } from './decode-runs.ts';
import { FixedDecodeInputs } from './fixed-decode-inputs.ts';

/** Decode runs of up to so many rows that are captured, each number of rows for itself. */
export interface CapturedDecodes {
  readonly rows: number;
  readonly runs: DecodeRuns;
  /** The same runs, never captured: they make ONNX Runtime take the memory that it may not take during a capture. */
  readonly warming: DecodeRuns;
}

/** Both ways in which decode runs are made: plain, and captured. */
export class DecodeWays {
  readonly plain: DecodeRuns;
  readonly captured: CapturedDecodes | null;
  /** Null until captured runs are known to give what plain ones give. */
  #graphReplays: number | null = null;

  /**
   * @param device where captured runs have their inputs; null for plain runs alone
   * @param size capturedRows: up to `slots`, 0 for none
   * @param newRun a run of so many rows whose cache and logits are set; captured under the number
   * @throws DeviceMemoryError
   */
  constructor(
    binding: SessionBinding,
    device: DeviceAccess | null,
    signature: ModelSignature,
    { slots, slotTokens, capturedRows: rows }: { slots: number; slotTokens: number; capturedRows: number },
    newRun: (rows: number, graphId?: number) => BoundRun,
  ) {
    const plainRun = (count: number) => newRun(count);
    this.plain = new DecodeRuns(new DecodeInputs(binding, signature, slots, slotTokens), plainRun);
    const inputs =
      device === null || rows === 0 ? null : new FixedDecodeInputs(binding, device, signature, { rows, slotTokens });
    this.captured =
      inputs === null
        ? null
        : {
            rows,
            runs: new DecodeRuns(inputs, (count) => newRun(count, count)),
            warming: new DecodeRuns(inputs, plainRun),
          };
  }

  /** Captured runs that steps were so far; null where none are. */
  get graphReplays(): number | null {
    return this.#graphReplays;
  }

  /** From now on steps are captured runs where they can be: `capturedProblem` has found none. */
  useCaptured(): void {
    if (this.captured !== null) this.#graphReplays = 0;
  }

  /** For the next step. */
  forRows(rows: number): DecodeRuns {
    if (this.captured === null || this.#graphReplays === null || rows > this.captured.rows) return this.plain;
    this.#graphReplays += 1;
    return this.captured.runs;
  }
}

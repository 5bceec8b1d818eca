import type { EngineParts } from './engine-parts.ts';
import type { EngineStats } from './step-output.ts';
import type { StepUpdate } from './step-update.ts';

/** Reads what an engine's parts count as one `EngineStats`. */
export class EngineCounters {
  steps = 0;
  readonly #parts: EngineParts;
  readonly #update: StepUpdate;
  /** What the runner counted before this engine had it. */
  readonly #transferredBefore: number;
  readonly #wholeRowsBefore: number;
  readonly #graphReplaysBefore: number;

  constructor(parts: EngineParts, update: StepUpdate) {
    this.#parts = parts;
    this.#update = update;
    this.#transferredBefore = parts.runner.transferredBytes ?? 0;
    this.#wholeRowsBefore = parts.runner.deviceLogits?.wholeRows ?? 0;
    this.#graphReplaysBefore = parts.runner.graphReplays ?? 0;
  }

  read(): EngineStats {
    const { runner, scheduler, budget, prefixes } = this.#parts;
    const { verified, decodeRuns, prefillRuns, decodedTokens, prefilledTokens } = this.#update;
    const { slots, parking, shares, waiting, parks } = scheduler.seating;
    return {
      running: slots.occupied,
      waiting,
      parked: parking.parked,
      parksTotal: parks,
      fairnessLagSteps: Math.round(shares.lagSteps),
      freeSlots: slots.free,
      kvTokens: slots.sumOf((sequence) => sequence.computedTokens),
      kvBudgetTokens: budget.limited ? budget.tokens : runner.slots * runner.slotTokens,
      kvResidentTokens: runner.residentTokens,
      preemptionsTotal: scheduler.preemptions,
      stepsTotal: this.steps,
      decodeRunsTotal: decodeRuns,
      prefillRunsTotal: prefillRuns,
      verifyRunsTotal: verified.runs,
      proposedTokensTotal: verified.proposed,
      acceptedTokensTotal: verified.accepted,
      decodedTokensTotal: decodedTokens,
      prefilledTokensTotal: prefilledTokens,
      prefixQueriedTokensTotal: prefixes.queriedTokens,
      prefixHitTokensTotal: prefixes.hitTokens,
      prefixTokens: prefixes.heldTokens,
      prefixEvictionsTotal: prefixes.evictions,
      deviceTransferBytesTotal: (runner.transferredBytes ?? 0) - this.#transferredBefore,
      wholeRowsTotal: (runner.deviceLogits?.wholeRows ?? 0) - this.#wholeRowsBefore,
      graphReplaysTotal: (runner.graphReplays ?? 0) - this.#graphReplaysBefore,
    };
  }
}

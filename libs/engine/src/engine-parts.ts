import type { ModelRunner } from '#contracts';
import { MaskTime } from './constraints/mask-time.ts';
import type { EngineOptions } from './engine-options.ts';
import { ModelRuns } from './model-runs.ts';
import { PrefixCache } from './prefix/prefix-cache.ts';
import { RequestIntake } from './request-intake.ts';
import { TokenChooser } from './sampling/token-chooser.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { KvBudget } from './slots/kv-budget.ts';
import { KvMemory } from './slots/kv-memory.ts';
import type { TokenProposer } from './speculation/token-proposer.ts';
import { StepOutbox } from './step-outbox.ts';
import { TokenTexts } from './text/token-texts.ts';

const DEFAULT_REPLAY_LIMIT_TOKENS = 16_384;

/** What an engine is put together from. */
export interface EngineParts {
  readonly runner: ModelRunner;
  readonly runs: ModelRuns;
  readonly scheduler: Scheduler;
  readonly prefixes: PrefixCache;
  readonly budget: KvBudget;
  readonly memory: KvMemory;
  readonly intake: RequestIntake;
  readonly masks: MaskTime;
  readonly chooser: TokenChooser;
  readonly proposer: TokenProposer | null;
  readonly outbox: StepOutbox;
}

export function engineParts(options: EngineOptions): EngineParts {
  const { runner, proposer = null } = options;
  const kvTokens = runner.residentTokens === null ? undefined : options.kvTokens;
  const budget = new KvBudget(kvTokens ?? Number.POSITIVE_INFINITY, runner.slotTokens);
  const prefixes = new PrefixCache(runner);
  const scheduler = new Scheduler({
    slots: runner.slots,
    parkingSlots: runner.parkingSlots,
    prefillChunkTokens: options.prefillChunkTokens,
    decodeStretch: options.decodeStretch,
    prefillParts: runner.prefillParts?.count,
    keepsStates: runner.description.stateBytes > 0 && runner.blocks > 0,
    leastPrefillMs: options.leastPrefillMs,
    budget,
    proposer,
    maxProposals: (runner.verification?.maxTokens ?? 1) - 1,
    copySlot: (...copy) => memory.copySlot(...copy),
    moveSlot: (...move) => memory.moveSlot(...move),
    loadPrefix: (sequence) => {
      memory.makeRoom(sequence.prefillTokenIds.length);
      prefixes.load(sequence);
    },
  });
  const memory: KvMemory = new KvMemory(runner, budget, () => scheduler.seating.holders());
  const intake = new RequestIntake({
    runner,
    texts: new TokenTexts(options.tokenTable),
    replayLimitTokens: options.replayLimitTokens ?? DEFAULT_REPLAY_LIMIT_TOKENS,
    constraints: options.constraints ?? null,
  });
  const masks = new MaskTime(scheduler.seating, runner.description);
  return {
    ...{ runner, scheduler, prefixes, budget, memory, intake, masks, proposer },
    runs: new ModelRuns(runner, masks),
    chooser: new TokenChooser(runner.shape.vocabularySize, runner.logitsKernels ?? undefined),
    outbox: new StepOutbox(options.publishIntervalMs),
  };
}

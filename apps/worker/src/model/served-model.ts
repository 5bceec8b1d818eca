import { extname } from 'node:path';
import type { PackedCard, TokenTable } from '#contracts';
import { EngineSupervisor, EngineThread } from '#engine';
import { interruptRun } from '#model-runner/process';
import type { ModelOptions, WorkerOptions } from '../worker-options.ts';
import type { EngineThreadData } from './engine-thread-data.ts';
import type { MemoryNeed } from './memory-need.ts';

/** A checked model folder and how this worker will serve it; the weights are not loaded yet. Plain data. */
export interface ServedModel {
  /** Under the id that clients ask for. Kept for a Redis that loses it. */
  readonly card: PackedCard;
  readonly modelFile: string;
  readonly tokenTable: TokenTable;
  readonly slotTokens: number;
  readonly need: MemoryNeed;
}

/** Models that share their cores take them from each other by spinning (decision 0033). */
const SPIN_ALONE_US = 100;

/**
 * Loads the weights in a thread of their own, which is replaced when it crashes or hangs.
 * @param isAlone whether the worker has no other model. A capture ends what other models ask of CUDA meanwhile, and is ended by it.
 * @throws EngineThreadError, caused by ModelLoadError
 */
export function startEngine(
  served: ServedModel,
  options: ModelOptions,
  worker: WorkerOptions,
  isAlone: () => boolean,
): Promise<EngineSupervisor> {
  const data: Omit<EngineThreadData, 'capturedRows'> = {
    modelFile: served.modelFile,
    tokenTable: served.tokenTable,
    slotTokens: served.slotTokens,
    slots: options.slots,
    parkingSlots: options.parkingSlots === 0 ? 0 : options.parkingSlots + 1,
    kvBytes: options.kvBytes,
    prefixCacheBytes: options.prefixCacheBytes,
    threads: options.threads,
    cpus: options.cpus,
    spinUs: options.spinUs ?? (isAlone() ? SPIN_ALONE_US : 0),
    prefillChunkTokens: worker.prefillChunkTokens,
    decodeStretch: worker.decodeStretch,
    prefillParts: worker.prefillParts,
    speculationTokens: worker.speculationTokens,
    replayLimitTokens: worker.replayLimitTokens,
    providers: worker.providers,
    binding: worker.binding,
  };
  const entry = new URL(`../engine-thread${extname(import.meta.url)}`, import.meta.url);
  const { stepLimitMs } = worker;
  return EngineSupervisor.start({
    startLimitMs: stepLimitMs,
    start: (startLimitMs, startSignal) => {
      const whole: EngineThreadData = { ...data, capturedRows: isAlone() ? worker.capturedRows : 0 };
      return EngineThread.start(entry, whole, { interrupt: interruptRun, stepLimitMs, startLimitMs, startSignal });
    },
  });
}

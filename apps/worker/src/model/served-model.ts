import { extname } from 'node:path';
import type { PackedCard, TokenTable } from '#contracts';
import { EngineSupervisor, EngineThread } from '#engine';
import { interruptRun } from '#model-runner/process';
import type { Logger } from '#observability';
import type { ModelOptions, WorkerOptions } from '../worker-options.ts';
import type { EngineStarts } from './engine-starts.ts';
import type { EngineThreadData } from './engine-thread-data.ts';
import type { MemoryNeed } from './memory-need.ts';
import { parkingSlotsOf } from './parking-slots.ts';

/** A checked model folder and how this worker will serve it; the weights are not loaded yet. Plain data. */
export interface ServedModel {
  /** Under the id that clients ask for. Kept for a Redis that loses it. */
  readonly card: PackedCard;
  readonly modelFile: string;
  readonly embeddingFile: string | null;
  readonly tokenTable: TokenTable;
  readonly slotTokens: number;
  readonly need: MemoryNeed;
}

/** Models that share their cores take them from each other by spinning (decision 0033). */
const SPIN_ALONE_US = 100;

const NOT_CAPTURED =
  'decode runs are not captured (MILLRACE_CUDA_GRAPHS): the worker has other models, whose use of CUDA a capture would end';

/**
 * Loads the weights in a thread of their own, which is replaced when it crashes or hangs.
 * @throws EngineThreadError, caused by ModelLoadError
 */
export function startEngine(
  served: ServedModel,
  options: ModelOptions,
  worker: WorkerOptions,
  starts: EngineStarts,
  logger: Logger,
): Promise<EngineSupervisor> {
  const data: Omit<EngineThreadData, 'capturedRows'> = {
    modelFile: served.modelFile,
    embeddingFile: served.embeddingFile,
    tokenTable: served.tokenTable,
    slotTokens: served.slotTokens,
    slots: options.slots,
    parkingSlots: parkingSlotsOf(options),
    kvBytes: options.kvBytes,
    prefixCacheBytes: options.prefixCacheBytes,
    threads: options.threads,
    cpus: options.cpus,
    spinUs: options.spinUs ?? (starts.isAlone ? SPIN_ALONE_US : 0),
    prefillChunkTokens: worker.prefillChunkTokens,
    decodeStretch: worker.decodeStretch,
    prefillParts: worker.prefillParts,
    speculationTokens: worker.speculationTokens,
    replayLimitTokens: worker.replayLimitTokens,
    providers: worker.providers,
    products: worker.products,
    kvType: worker.kvType,
    binding: worker.binding,
  };
  const entry = new URL(`../engine-thread${extname(import.meta.url)}`, import.meta.url);
  const { stepLimitMs } = worker;
  const names = { model: served.card.model, cardHash: served.card.hash };
  return EngineSupervisor.start({
    startLimitMs: stepLimitMs,
    start: (startLimitMs, startSignal) => {
      const start = (capturedRows: number) => {
        if (capturedRows < worker.capturedRows) logger.warn(names, NOT_CAPTURED);
        const whole: EngineThreadData = { ...data, capturedRows };
        return EngineThread.start(entry, whole, { interrupt: interruptRun, stepLimitMs, startLimitMs, startSignal });
      };
      const onWait = () => logger.info(names, "it is loaded once another model's decode runs are captured");
      return starts.run(worker.capturedRows, start, startSignal, onWait);
    },
  });
}

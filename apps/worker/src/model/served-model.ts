import { extname } from 'node:path';
import { cardHash, type ModelCard, type TokenTable } from '#contracts';
import { EngineSupervisor, EngineThread } from '#engine';
import { interruptRun } from '#model-runner';
import { answerTokenTable, OUTPUT_FORMATS, openModelFolder, resolveModelFolder } from '#models';
import type { ModelOptions, WorkerOptions } from '../worker-options.ts';
import type { EngineThreadData } from './engine-thread-data.ts';
import { type MemoryNeed, memoryNeedOf } from './memory-need.ts';
import { readMemorySizes } from './read-memory-sizes.ts';
import { UnknownOutputFormatError } from './unknown-output-format-error.ts';

/** A checked model folder and how this worker will serve it; the weights are not loaded yet. */
export interface ServedModel {
  /** The id that clients ask for. */
  readonly model: string;
  readonly card: ModelCard;
  readonly cardHash: string;
  readonly modelFile: string;
  readonly tokenTable: TokenTable;
  readonly slotTokens: number;
  readonly need: MemoryNeed;
}

/**
 * @throws ModelFolderError with everything that is missing or wrong in the folder, UnknownOutputFormatError, and an error
 * that says why its ONNX file can not be served
 */
export async function openServedModel(options: ModelOptions, modelRoots: readonly string[]): Promise<ServedModel> {
  const { outputFormat } = options;
  if (outputFormat !== null && !OUTPUT_FORMATS.has(outputFormat)) {
    throw new UnknownOutputFormatError(outputFormat, OUTPUT_FORMATS.keys());
  }
  const folder = await openModelFolder(await resolveModelFolder(options.folder, modelRoots));
  const sizes = readMemorySizes(folder.modelFile);
  const slotTokens = Math.min(options.slotTokens, folder.config.maxPositions ?? options.slotTokens);
  const model = options.modelId ?? folder.name;
  const chosen = outputFormat === null ? {} : { outputFormat };
  const card = folder.card({ model, contextLength: slotTokens, ...chosen });
  const tokenTable = answerTokenTable(card);
  const need = memoryNeedOf(await sizes, options, slotTokens);
  return { model, card, cardHash: cardHash(card), modelFile: folder.modelFile, tokenTable, slotTokens, need };
}

/** Models that share their cores take them from each other by spinning (decision 0033). */
const SPIN_ALONE_US = 100;

/**
 * Loads the weights in a thread of their own, which is replaced when it crashes or hangs.
 * @param alone whether the worker has no other model
 * @throws EngineThreadError, caused by ModelLoadError
 */
export function startEngine(
  served: ServedModel,
  options: ModelOptions,
  worker: WorkerOptions,
  alone: boolean,
): Promise<EngineSupervisor> {
  const data: EngineThreadData = {
    modelFile: served.modelFile,
    tokenTable: served.tokenTable,
    slotTokens: served.slotTokens,
    slots: options.slots,
    parkingSlots: options.parkingSlots === 0 ? 0 : options.parkingSlots + 1,
    kvBytes: options.kvBytes,
    prefixCacheBytes: options.prefixCacheBytes,
    threads: options.threads,
    cpus: options.cpus,
    spinUs: options.spinUs ?? (alone ? SPIN_ALONE_US : 0),
    prefillChunkTokens: worker.prefillChunkTokens,
    decodeStretch: worker.decodeStretch,
    prefillParts: worker.prefillParts,
    replayLimitTokens: worker.replayLimitTokens,
    providers: worker.providers,
    binding: worker.binding,
  };
  const entry = new URL(`../engine-thread${extname(import.meta.url)}`, import.meta.url);
  const { stepLimitMs } = worker;
  return EngineSupervisor.start({
    startLimitMs: stepLimitMs,
    start: (startLimitMs) => EngineThread.start(entry, data, { interrupt: interruptRun, stepLimitMs, startLimitMs }),
  });
}

import { type CpuChoices, type ExecutionProvider, packCard } from '#contracts';
import { inspectModel, type ModelSignature } from '#model-runner';
import { answerTokenTable, type ModelFolder, OUTPUT_FORMATS, openModelFolder, resolveModelFolder } from '#models';
import type { ModelOptions } from '../worker-options.ts';
import { memoryNeedOf } from './memory-need.ts';
import type { ServedModel } from './served-model.ts';
import { UnknownOutputFormatError } from './unknown-output-format-error.ts';

/**
 * Reads and checks a model folder; the weights are not loaded.
 * @throws ModelFolderError with everything that is missing or wrong in the folder, UnknownOutputFormatError, and
 * ModelLoadError, which says why its ONNX file can not be served
 */
export async function readModel(
  options: ModelOptions,
  modelRoots: readonly string[],
  providers: readonly ExecutionProvider[],
  cpu: Partial<CpuChoices> = {},
): Promise<ServedModel> {
  const { outputFormat } = options;
  if (outputFormat !== null && !OUTPUT_FORMATS.has(outputFormat)) {
    throw new UnknownOutputFormatError(outputFormat, OUTPUT_FORMATS.keys());
  }
  const folder = await openModelFolder(await resolveModelFolder(options.folder, modelRoots));
  const { modelFile, embeddingFile } = folder;
  const signature = await inspectModel(modelFile, { ...cpu, embeddingFile });
  const slotTokens = Math.min(options.slotTokens, ...positionsOf(folder, signature));
  const card = folder.card({
    model: options.modelId ?? folder.name,
    contextLength: slotTokens,
    vocabularySize: signature.vocabularySize,
    ...(outputFormat !== null && { outputFormat }),
    samplingDefaults: options.samplingDefaults === 'model',
  });
  const packed = packCard(card); // In another thread, while this one goes on.
  const tokenTable = answerTokenTable(card);
  const need = memoryNeedOf(signature, options, slotTokens, providers);
  return { card: await packed, modelFile, embeddingFile, tokenTable, slotTokens, need };
}

/** Up to which lengths the model is right: what the configuration says, and what its graph has rotary tables for. */
function positionsOf({ config }: ModelFolder, { maxPositions, longRotary }: ModelSignature): number[] {
  return [config.maxPositions, longRotary?.maxPositions ?? maxPositions].filter((bound) => bound !== null);
}

import { type ExecutionProvider, packCard } from '#contracts';
import { inspectModel } from '#model-runner';
import { answerTokenTable, OUTPUT_FORMATS, openModelFolder, resolveModelFolder } from '#models';
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
): Promise<ServedModel> {
  const { outputFormat } = options;
  if (outputFormat !== null && !OUTPUT_FORMATS.has(outputFormat)) {
    throw new UnknownOutputFormatError(outputFormat, OUTPUT_FORMATS.keys());
  }
  const folder = await openModelFolder(await resolveModelFolder(options.folder, modelRoots));
  const { modelFile } = folder;
  const slotTokens = Math.min(options.slotTokens, folder.config.maxPositions ?? options.slotTokens);
  const chosen = outputFormat === null ? {} : { outputFormat };
  const card = folder.card({ model: options.modelId ?? folder.name, contextLength: slotTokens, ...chosen });
  const packed = packCard(card); // In another thread, while this one goes on.
  const tokenTable = answerTokenTable(card);
  const need = memoryNeedOf(await inspectModel(modelFile), options, slotTokens, providers);
  return { card: await packed, modelFile, tokenTable, slotTokens, need };
}

import { basename, dirname, join } from 'node:path';
import { embeddingBeside, embeddingsAmong, isOtherPart } from './embedding-names.ts';
import type { FolderReader } from './folder-reader.ts';
import { graphInputs } from './graph-inputs.ts';
import type { GenaiConfigJson } from './model-config.ts';
import { onnxFilesOf } from './model-files.ts';

/** What a decoder in two graphs takes in the place of tokens. */
const EMBEDS = 'inputs_embeds';

/** Paths inside the folder. */
export interface ChosenGraphs {
  readonly modelFile: string;
  /** Where `modelFile` takes embeddings in the place of tokens, the graph that makes them. */
  readonly embeddingFile: string | null;
}

/**
 * The decoder that was named, else the usual one, else the only one there is, and what belongs to it; a problem is noted, and null given, when none
 * can be chosen.
 */
export async function chooseGraphs(
  reader: FolderReader,
  named: string | null,
  genai: GenaiConfigJson | null,
): Promise<ChosenGraphs | null> {
  const modelFile = await chooseDecoder(reader, named, genai);
  if (modelFile === null) return null;
  // What is wrong with a file that can not be read is noted with its weights.
  const inputs = await graphInputs(join(reader.folder, modelFile)).catch((): string[] => []);
  if (!inputs.includes(EMBEDS)) return { modelFile, embeddingFile: null };
  const embeddingFile = await chooseEmbedding(reader, modelFile, genai);
  return embeddingFile === null ? null : { modelFile, embeddingFile };
}

async function chooseDecoder(
  reader: FolderReader,
  named: string | null,
  genai: GenaiConfigJson | null,
): Promise<string | null> {
  const decoder = genai?.model.decoder?.filename ?? '';
  const usual = [
    ...(decoder === '' ? [] : [decoder]),
    'model.onnx',
    'onnx/model.onnx',
    'onnx/decoder_model_merged.onnx',
  ];
  const chosen = await reader.firstOf(named === null ? usual : [named]);
  if (chosen !== null) return chosen;
  const all = await onnxFilesOf(reader.folder);
  const there = all.filter((file) => !isOtherPart(file));
  if (named === null && there.length === 1) return there[0] ?? null;
  if (all.length === 0) reader.note('model.onnx', 'it is missing');
  else if (there.length === 0)
    reader.note(
      'onnx/decoder_model_merged.onnx',
      `it is missing: there are ${all.join(', ')}, none of which is a decoder`,
      'copy the decoder of the same export into the folder',
    );
  else
    reader.note(
      named ?? 'model.onnx',
      `it is missing, but there are ${there.join(', ')}`,
      `name one of them: ${join(reader.folder, there[0] ?? '')}`,
    );
  return null;
}

async function chooseEmbedding(
  reader: FolderReader,
  modelFile: string,
  genai: GenaiConfigJson | null,
): Promise<string | null> {
  const takes = `${modelFile} takes embeddings (${EMBEDS}) in the place of tokens`;
  const configured = genai?.model.decoder?.filename === modelFile ? (genai.model.embedding?.filename ?? '') : '';
  if (configured !== '') {
    const chosen = await reader.firstOf([configured]);
    if (chosen === null)
      reader.note(configured, `it is missing; ${takes}, and genai_config.json says model.embedding.filename`);
    return chosen;
  }
  const folder = dirname(modelFile);
  const beside = (await onnxFilesOf(reader.folder))
    .filter((file) => dirname(file) === folder)
    .map((file) => basename(file));
  const chosen = embeddingBeside(modelFile, beside);
  if (chosen !== null) return join(folder, chosen);
  const several = embeddingsAmong(beside);
  if (several.length === 0)
    reader.note(
      join(folder, 'embed_tokens.onnx'),
      `it is missing; ${takes}`,
      'copy the embed_tokens file of the same export beside it',
    );
  else
    reader.note(
      join(folder, several[0] ?? ''),
      `${takes}, and of ${several.join(', ')} the names do not tell which belong to it`,
      'leave one of them in the folder',
    );
  return null;
}

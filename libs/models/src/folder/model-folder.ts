import { basename, join } from 'node:path';
import type { ModelCard, SamplingDefaults, TokenTable } from '#contracts';
import { endOfTurnTokenId } from '../prompt/end-of-turn.ts';
import { PromptRenderer } from '../prompt/prompt-renderer.ts';
import { UnsupportedTemplateError } from '../prompt/unsupported-template-error.ts';
import { parseTokenizerJson, vocabularyEntries } from '../tokenizer/tokenizer-json.ts';
import { UnsupportedTokenizerError } from '../tokenizer/unsupported-tokenizer-error.ts';
import { chooseGraphs } from './choose-graphs.ts';
import { FolderReader } from './folder-reader.ts';
import {
  ConfigJson,
  GenaiConfigJson,
  GenerationConfigJson,
  type ModelConfig,
  modelConfig,
  ProcessorJson,
  TokenizerConfigJson,
} from './model-config.ts';
import { modelPlace } from './model-files.ts';
import { ModelFolderError } from './model-folder-error.ts';
import { TOOL_TEMPLATE, withToolTemplate } from './named-templates.ts';
import { samplingDefaultsOf } from './sampling-config.ts';

type CardFromFolder = Pick<
  ModelCard,
  'tokenizerJson' | 'chatTemplate' | 'templateTokens' | 'vocabularySize' | 'eosTokenIds'
>;

export interface CardOptions {
  /** The id that clients send as `model`. */
  readonly model: string;
  /** Prompt and answer together, in tokens. */
  readonly contextLength: number;
  /** Unix time in seconds. Default 0: the card, and so its hash, depends on the folder's contents alone. */
  readonly createdAt?: number;
  /** Default `millrace`. */
  readonly ownedBy?: string;
  /** Name of the format of tool calls and reasoning; default what the chat template tells. */
  readonly outputFormat?: string;
  /** Of the logits, in tokens; default what the configuration files say. */
  readonly vocabularySize?: number;
  /** Whether requests that do not say how to sample get what generation_config.json recommends. Default true. */
  readonly samplingDefaults?: boolean;
}

/** A checked model folder: all files are there, whole, and fit together. */
export class ModelFolder {
  readonly path: string;
  /** Name of the folder. */
  readonly name: string;
  /** Absolute path of the ONNX file. */
  readonly modelFile: string;
  /** Absolute path, where the model is in two graphs, of the one from tokens to embeddings. */
  readonly embeddingFile: string | null;
  readonly config: ModelConfig;
  /** What generation_config.json recommends. */
  readonly samplingDefaults: SamplingDefaults;
  readonly #card: CardFromFolder;
  readonly #tokenTable: TokenTable;

  constructor(
    path: string,
    { modelFile, embeddingFile }: Pick<ModelFolder, 'modelFile' | 'embeddingFile'>,
    config: ModelConfig,
    samplingDefaults: SamplingDefaults,
    card: CardFromFolder,
    tokenTable: TokenTable,
  ) {
    this.path = path;
    this.name = basename(path);
    this.modelFile = modelFile;
    this.embeddingFile = embeddingFile;
    this.config = config;
    this.samplingDefaults = samplingDefaults;
    this.#card = card;
    this.#tokenTable = tokenTable;
  }

  /** Tokens that end a turn: those of the configuration files and the one with which the chat template ends turns. */
  get eosTokenIds(): readonly number[] {
    return this.#card.eosTokenIds;
  }

  card({
    model,
    contextLength,
    createdAt = 0,
    ownedBy = 'millrace',
    outputFormat,
    vocabularySize = this.#card.vocabularySize,
    samplingDefaults = true,
  }: CardOptions): ModelCard {
    const card = { version: 1 as const, model, ...this.#card, vocabularySize, contextLength, createdAt, ownedBy };
    const recommended = samplingDefaults && Object.keys(this.samplingDefaults).length > 0;
    return {
      ...card,
      ...(outputFormat !== undefined && { outputFormat }),
      // Absent and not empty, so that models without any keep their cards' hashes.
      ...(recommended && { samplingDefaults: this.samplingDefaults }),
    };
  }

  /** Without the control tokens' texts; `answerTokenTable` has those that answers are taken apart by. */
  tokenTable(): TokenTable {
    return this.#tokenTable;
  }
}

/**
 * Reads and checks a model folder as Hugging Face, onnx-community and onnxruntime-genai's builder write it.
 * @param path of the folder, or of one of its ONNX files (`onnx/model_q4.onnx`) where it holds several
 * @throws ModelFolderError with every missing, short or wrong file
 */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const { folder, named } = await modelPlace(path);
  const reader = new FolderReader(folder);
  const genai = await reader.json('genai_config.json', GenaiConfigJson, false);
  const isBuilders = (await reader.firstOf(['genai_config.json'])) !== null;
  const config = await reader.json('config.json', ConfigJson, !isBuilders);
  const generationConfig = await reader.json('generation_config.json', GenerationConfigJson, false);
  const tokenizerConfig = await reader.json('tokenizer_config.json', TokenizerConfigJson, true);
  const tokenizerJson = await reader.text('tokenizer.json', true);
  const ownTemplate = await reader.text('chat_template.jinja', false);
  const toolTemplate = await reader.text(`additional_chat_templates/${TOOL_TEMPLATE}.jinja`, false);
  const chatTemplate =
    (ownTemplate === null ? null : withToolTemplate(ownTemplate, toolTemplate)) ??
    tokenizerConfig?.chatTemplate ??
    (await reader.json('chat_template.json', ProcessorJson, false)) ??
    (await reader.json('processor_config.json', ProcessorJson, false));
  const graphs = await chooseGraphs(reader, named, genai);

  for (const file of [graphs?.modelFile, graphs?.embeddingFile]) {
    if (file != null) await reader.checkWeights(file);
  }
  if (chatTemplate === null) {
    reader.note('chat_template.jinja', 'it is missing, and tokenizer_config.json has no chat_template');
  }
  const sizes = modelConfig(config, genai);
  if (sizes === null && (config ?? genai) !== null) {
    reader.note('config.json', 'field vocab_size is missing', 'add the number of rows of the embedding');
  }
  if (
    graphs === null ||
    chatTemplate === null ||
    sizes === null ||
    tokenizerJson === null ||
    tokenizerConfig === null
  ) {
    throw new ModelFolderError(folder, reader.problems);
  }

  const templateTokens = tokenizerConfig.tokens;
  const parts = { tokenizerJson, chatTemplate, templateTokens, vocabularySize: sizes.vocabularySize };
  const prompt = tryPrompt(parts, reader);
  if (prompt === null || reader.problems.length > 0) {
    throw new ModelFolderError(folder, reader.problems);
  }
  const configured = {
    'generation_config.json': generationConfig?.eos_token_id ?? [],
    'config.json': [...(config?.eos_token_id ?? []), ...(config?.text_config?.eos_token_id ?? [])],
    'genai_config.json': genai?.model.eos_token_id ?? [],
  };
  for (const [file, ids] of Object.entries(configured)) {
    const stray = ids.find((id) => id >= sizes.vocabularySize);
    if (stray !== undefined)
      reader.note(
        file,
        `field eos_token_id has ${stray}, but the vocabulary has ${sizes.vocabularySize} tokens`,
        'use the files that belong to this model',
      );
  }
  if (reader.problems.length > 0) {
    throw new ModelFolderError(folder, reader.problems);
  }
  const endToken = templateTokens.eos_token === undefined ? null : tokenId(tokenizerJson, templateTokens.eos_token);
  const eosTokenIds = new Set([
    ...Object.values(configured).flat(),
    ...[endToken, prompt.endOfTurn].filter((id) => id !== null),
  ]);
  return new ModelFolder(
    folder,
    {
      modelFile: join(folder, graphs.modelFile),
      embeddingFile: graphs.embeddingFile === null ? null : join(folder, graphs.embeddingFile),
    },
    sizes,
    samplingDefaultsOf(generationConfig),
    {
      ...parts,
      eosTokenIds: [...eosTokenIds].sort((a, b) => a - b),
    },
    prompt.tokenTable,
  );
}

/** Builds what a request would need, so that a tokenizer or template that cannot work is found now. */
function tryPrompt(
  parts: Omit<CardFromFolder, 'eosTokenIds'>,
  reader: FolderReader,
): { endOfTurn: number | null; tokenTable: TokenTable } | null {
  try {
    const renderer = PromptRenderer.fromCard(parts);
    return { endOfTurn: endOfTurnTokenId(renderer), tokenTable: renderer.tokenTable };
  } catch (error) {
    const file = error instanceof UnsupportedTokenizerError ? 'tokenizer.json' : 'chat_template.jinja';
    if (error instanceof UnsupportedTokenizerError || error instanceof UnsupportedTemplateError) {
      reader.note(file, error.problem, error.remedy);
      return null;
    }
    reader.note(
      file,
      error instanceof Error ? error.message : String(error),
      'use the files that belong to this model',
    );
    return null;
  }
}

function tokenId(tokenizerJson: string, piece: string): number | null {
  const json = parseTokenizerJson(tokenizerJson);
  const added = json.added_tokens.find(({ content }) => content === piece);
  if (added) {
    return added.id;
  }
  for (const [text, id] of vocabularyEntries(json)) {
    if (text === piece) {
      return id;
    }
  }
  return null;
}

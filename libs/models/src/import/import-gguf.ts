import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openModelFolder } from '../folder/model-folder.ts';
import { ModelFolderError } from '../folder/model-folder-error.ts';
import { isFileSystemError, putInPlace, whatIsThere } from '../folder/new-folder.ts';
import { type DecoderDescription, describeDecoder } from './decoder/decoder-description.ts';
import { decoderGraph } from './decoder/decoder-graph.ts';
import { DecoderWeights } from './decoder/decoder-weights.ts';
import { rotaryTables } from './decoder/rotary-tables.ts';
import { GgufFile } from './gguf/gguf-file.ts';
import { ModelImportError } from './model-import-error.ts';
import { saveOnnx } from './onnx/save-onnx.ts';
import { samplingFields } from './sampling-fields.ts';
import { TOOL_TEMPLATE_FIELD, type TokenizerFiles, tokenizerFiles } from './tokenizer/tokenizer-files.ts';
import type { Layout } from './weights/choose-product.ts';

const DEFAULT_PIECE_BYTES = 1 << 30;

export interface ImportOptions {
  /** The .gguf file. */
  readonly file: string;
  /** Made by the import; must not exist, or be empty. */
  readonly folder: string;
  /** Dense weights (F32, F16, BF16): `keep` computes in float32 (exact), `q8` takes 8 bits in blocks of 32. Default `keep`. */
  readonly quantize?: 'keep' | 'q8';
  /**
   * Of quantized weights: `near` stays as near to the file's as can be; `quick` computes prompts and batches quicker, with
   * coarser activations (perplexity within 1 % of llama.cpp's where it was measured), and takes more memory. Default `near`.
   */
  readonly layout?: Layout;
  /** Positions of the rotary tables, at most the model's own; memory 4 · headSize bytes each. Default: the model's. */
  readonly positions?: number;
  /** Folder with tokenizer.json and tokenizer_config.json, to be taken instead of the GGUF's metadata. */
  readonly tokenizerFolder?: string;
  /** Jinja file, to be taken instead of the GGUF's template. */
  readonly chatTemplateFile?: string;
  /** Files of weights become no larger, unless one matrix alone is. Default 1 GiB. */
  readonly pieceBytes?: number;
  readonly onProgress?: (progress: ImportProgress) => void;
}

export interface ImportProgress {
  readonly writtenBytes: number;
}

export interface ImportedModel {
  readonly folder: string;
  readonly decoder: DecoderDescription;
  readonly vocabularySize: number;
  readonly tied: boolean;
  /** How many matrices are held in which layout (docs/decisions/0002-shipped-model-layout.md). */
  readonly layouts: Readonly<Record<string, number>>;
  readonly writtenBytes: number;
}

/**
 * Turns a GGUF into a model folder. Weights are read, converted and written a few megabytes at a time; the folder appears
 * when it is whole.
 * @throws ModelImportError naming field or tensor, value and remedy; ModelFolderError when what was made cannot be served
 */
export async function importGguf(options: ImportOptions): Promise<ImportedModel> {
  const folder = resolve(options.folder);
  const there = await whatIsThere(folder).catch((cause) => throwUnwritten(options.file, folder, cause));
  if (there !== null) throw new ModelImportError(options.file, there, 'remove it or name another folder');
  await using file = await GgufFile.open(options.file);
  const decoder = describeDecoder(file, options.positions);
  const tokenizer = await tokenizerOf(file, decoder, options);
  const sampling = samplingFields(file.path, file.metadata);
  const weights = await DecoderWeights.of(file, decoder, {
    eightBitDense: options.quantize === 'q8',
    layout: options.layout ?? 'near',
  });
  if (tokenizer.tokenCount > weights.vocabulary && options.tokenizerFolder === undefined)
    throw new ModelImportError(
      file.path,
      `tokenizer.ggml.tokens lists ${tokenizer.tokenCount} tokens, tensor token_embd.weight has rows for ${weights.vocabulary}`,
      'take another file: its tokenizer and its weights are of different models',
    );
  const rotary = rotaryTables(decoder, weights.ropeDivisors);

  const unfinished = `${folder}.unfinished-${process.pid}`;
  try {
    await mkdir(unfinished, { recursive: true });
    let writtenBytes = 0;
    await saveOnnx(decoderGraph(decoder, weights, rotary), join(unfinished, 'model.onnx'), {
      pieceBytes: options.pieceBytes ?? DEFAULT_PIECE_BYTES,
      onBytes: (bytes) => {
        writtenBytes += bytes;
        options.onProgress?.({ writtenBytes });
      },
    });
    await writeFiles(unfinished, decoder, weights, tokenizer, sampling, options.tokenizerFolder);
    await openModelFolder(unfinished); // what cannot be served is not put in place
    await putInPlace(unfinished, folder);
    return {
      folder,
      decoder,
      vocabularySize: weights.vocabulary,
      tied: weights.tied,
      layouts: Object.fromEntries(weights.layouts),
      writtenBytes,
    };
  } catch (error) {
    if (error instanceof ModelFolderError) throw new ModelFolderError(folder, error.problems, { cause: error });
    return throwUnwritten(options.file, folder, error);
  } finally {
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
  }
}

/** Errors of the file system say neither what was to be done nor what helps. */
function throwUnwritten(file: string, folder: string, cause: unknown): never {
  if (!isFileSystemError(cause)) throw cause;
  throw new ModelImportError(
    file,
    `the folder ${folder} cannot be written (${cause.message})`,
    'make room there, or name a folder that can be written',
    { cause },
  );
}

async function tokenizerOf(
  file: GgufFile,
  decoder: DecoderDescription,
  options: ImportOptions,
): Promise<TokenizerFiles> {
  const metadata = new Map(file.metadata);
  if (options.chatTemplateFile !== undefined) {
    metadata.set('tokenizer.chat_template', await givenText(file.path, options.chatTemplateFile, '--chat-template'));
    metadata.delete(TOOL_TEMPLATE_FIELD);
  }
  if (options.tokenizerFolder !== undefined) {
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      await givenText(file.path, join(options.tokenizerFolder, name), '--tokenizer');
    // The metadata is still read for the ids of the special tokens; its kind need not be known.
    metadata.set('tokenizer.ggml.model', 'gpt2');
    metadata.set('tokenizer.ggml.pre', 'gpt-2');
    metadata.set('tokenizer.ggml.merges', []);
  }
  return tokenizerFiles({ path: file.path, metadata }, decoder.positions);
}

async function givenText(file: string, path: string, option: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: Error) => {
    throw new ModelImportError(file, `${path} cannot be read (${cause.message})`, `correct ${option}`, { cause });
  });
}

async function writeFiles(
  folder: string,
  decoder: DecoderDescription,
  weights: DecoderWeights,
  tokenizer: TokenizerFiles,
  sampling: Readonly<Record<string, number>>,
  tokenizerFolder: string | undefined,
): Promise<void> {
  const ids = {
    bos_token_id: tokenizer.bosTokenId,
    eos_token_id: single(tokenizer.eosTokenIds),
    pad_token_id: tokenizer.padTokenId,
  };
  const known = Object.fromEntries(Object.entries(ids).filter(([, value]) => value !== null));
  const json = (name: string, value: object, indent = 2) =>
    writeFile(join(folder, name), `${JSON.stringify(value, null, indent)}\n`);
  await json('config.json', { ...modelConfig(decoder, weights), ...known });
  await json('generation_config.json', { ...known, ...sampling });
  await writeFile(join(folder, 'chat_template.jinja'), tokenizer.chatTemplate);
  if (tokenizerFolder === undefined) {
    await json('tokenizer.json', tokenizer.tokenizerJson, 0);
    await json('tokenizer_config.json', tokenizer.tokenizerConfig);
    return;
  }
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    await copyFile(join(tokenizerFolder, name), join(folder, name));
}

const single = (ids: readonly number[]) => (ids.length === 0 ? null : ids.length === 1 ? (ids[0] ?? null) : ids);

/** config.json with the keys that Hugging Face's exports carry; rotary scaling is in the graph's tables already. */
function modelConfig(decoder: DecoderDescription, weights: DecoderWeights): object {
  const classes = { llama: 'LlamaForCausalLM', qwen2: 'Qwen2ForCausalLM', qwen3: 'Qwen3ForCausalLM' };
  const { ropeScaling } = decoder;
  return {
    architectures: [classes[decoder.architecture]],
    model_type: decoder.architecture,
    vocab_size: weights.vocabulary,
    hidden_size: decoder.hidden,
    intermediate_size: decoder.feedForward,
    num_hidden_layers: decoder.layers,
    num_attention_heads: decoder.heads,
    num_key_value_heads: decoder.kvHeads,
    head_dim: decoder.headSize,
    max_position_embeddings: decoder.positions,
    rope_theta: decoder.ropeTheta,
    ...(ropeScaling.type !== 'none' && { rope_scaling: { rope_type: ropeScaling.type, factor: ropeScaling.factor } }),
    rms_norm_eps: decoder.normEpsilon,
    hidden_act: 'silu',
    tie_word_embeddings: weights.tied,
    torch_dtype: 'float32',
  };
}

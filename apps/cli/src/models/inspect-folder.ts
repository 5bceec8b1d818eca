import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  blocksHaveStates,
  type CpuChoices,
  type KvType,
  kvBytesOfToken,
  type SamplingDefaults,
  slotsOfStates,
  textConfig,
} from '#contracts';
import { capturable, inspectModel, type ModelSignature, openModelRunner } from '#model-runner';
import { type ModelFolder, ModelFolderError, openModelFolder } from '#models';

const TRIAL_TOKENS = 64;

export interface InspectOptions {
  readonly slots: number;
  /** At most the model's own context is counted. */
  readonly slotTokens: number;
  /** Loads the model for a moment, which alone tells for sure whether past and present can share memory. */
  readonly load: boolean;
  /** How a worker is told to compute on the CPU. */
  readonly cpu?: CpuChoices;
}

const AS_THE_GRAPH: CpuChoices = { products: 'auto', kvType: 'auto' };

export interface Problem {
  readonly file: string;
  readonly problem: string;
  readonly remedy: string;
}

/** What a worker would make of a model folder. A part is null when a problem kept it from being found out. */
export interface Inspection {
  readonly folder: string;
  readonly name: string | null;
  readonly architecture: string | null;
  readonly contextLength: number | null;
  /** Context where slots are longer than the shorter of two rotary tables (LongRoPE); null with one table. */
  readonly longContextLength: number | null;
  readonly vocabularySize: number | null;
  readonly decoder: {
    readonly modelFile: string;
    /** Of an export in two graphs the one from tokens to embeddings. */
    readonly embeddingFile: string | null;
    readonly layers: number;
    readonly kvHeads: number;
    readonly headSize: number;
    readonly attention: 'GroupQueryAttention' | 'other operators';
    readonly logits: 'last position' | 'every position';
    readonly inputs: readonly string[];
    /** Of cached keys and values, as the graph has them. */
    readonly cacheType: 'float32' | 'float16';
    /** What they are kept as on the CPU. */
    readonly kvType: KvType;
    /** Of the keys and values of one token in all layers. */
    readonly tokenBytes: number;
    /** States of a fixed size that layers keep beside keys and values or in their place; null without any. */
    readonly states: {
      readonly count: number;
      readonly bytes: number;
      readonly inputs: readonly string[] /** They are kept for later prompts, with blocks of keys and values. */;
      readonly inPrefixCache: boolean;
    } | null;
    /** Tokens that the widest sliding-window layer sees; null where every layer sees all. */
    readonly slidingWindow: number | null;
    /** What is changed in the graph as it is loaded, in words. */
    readonly changes: readonly string[];
    /** What keeps decode runs from being captured as CUDA graphs (MILLRACE_CUDA_GRAPHS); null where the graph shows nothing. */
    readonly captureProblem: string | null;
  } | null;
  readonly heads: number | null;
  readonly hidden: number | null;
  readonly tokenizer: { readonly kind: string; readonly controlTokens: number } | null;
  readonly eosTokens: readonly { readonly id: number; readonly text: string }[];
  readonly templateCharacters: number | null;
  /** What requests get that do not say how to sample (MILLRACE_SAMPLING_DEFAULTS); null when it was not found out. */
  readonly samplingDefaults: SamplingDefaults | null;
  /** Null when it was not loaded or could not be. */
  readonly path: {
    readonly kvCache: 'in-place' | 'copying';
    readonly binding: 'c-api' | 'js-api';
    readonly provider: string;
    readonly runtimeVersion: string;
    /** Products with weights that our own library computes (decision 0047); ONNX Runtime computes all others. */
    readonly ownProducts: number;
    /** Layers whose attention it computes (decision 0048). */
    readonly ownAttention: number;
    /** A token has the same bits in whatever run it is computed. */
    readonly runInvariant: boolean;
    readonly reasons: readonly string[];
  } | null;
  readonly fileBytes: number;
  readonly memory: {
    readonly slots: number;
    readonly slotTokens: number;
    readonly kvBytes: number;
    /** Of all slots; 0 without states. */
    readonly stateBytes: number;
  } | null;
  readonly problems: readonly Problem[];
}

/** @param nameOfPlace path of the folder, or of one of its ONNX files */
export async function inspectFolder(nameOfPlace: string, options: InspectOptions): Promise<Inspection> {
  const problems: Problem[] = [];
  const { cpu = AS_THE_GRAPH } = options;
  const folder = await openModelFolder(nameOfPlace).catch((error: unknown) => {
    problems.push(...problemsOf(error, '.'));
    return null;
  });
  const path = folder?.path ?? nameOfPlace;
  const modelFile = folder?.modelFile ?? (await firstFile(path, ['model.onnx', 'onnx/model.onnx']));
  const embeddingFile = folder?.embeddingFile ?? null;
  const signature =
    modelFile === null
      ? null
      : await inspectModel(modelFile, { ...cpu, embeddingFile }).catch((error: unknown) => {
          problems.push(...problemsOf(error, modelFile));
          return null;
        });
  if (signature !== null && !options.load) problems.push(...kvTypeProblems(signature, cpu));
  const config = await configJson(path);
  const tokenizerJson = folder?.card({ model: folder.name, contextLength: 1 }).tokenizerJson ?? null;
  const bounds = [signature?.maxPositions, folder?.config.maxPositions].filter((bound) => bound != null);
  const contextLength = bounds.length === 0 ? null : Math.min(...bounds);
  const slotTokens = Math.min(options.slotTokens, contextLength ?? options.slotTokens);
  return {
    folder: path,
    name: folder?.name ?? null,
    architecture: folder?.config.modelType ?? null,
    contextLength,
    longContextLength: signature?.longRotary?.maxPositions ?? null,
    vocabularySize: signature?.vocabularySize ?? folder?.config.vocabularySize ?? null,
    decoder: signature === null ? null : decoderOf(signature, embeddingFile, slotTokens),
    heads: numberOf(config, 'num_attention_heads'),
    hidden: numberOf(config, 'hidden_size'),
    tokenizer: tokenizerJson === null ? null : tokenizerOf(tokenizerJson),
    eosTokens: folder === null || tokenizerJson === null ? [] : eosTokens(folder, tokenizerJson),
    templateCharacters: folder?.card({ model: folder.name, contextLength: 1 }).chatTemplate.length ?? null,
    samplingDefaults: folder?.samplingDefaults ?? null,
    path:
      signature === null || !options.load
        ? null
        : await trialLoad(signature, { ...cpu, embeddingFile }, contextLength, problems),
    fileBytes: await folderBytes(path),
    memory: signature === null ? null : memoryOf(signature, options.slots, slotTokens),
    problems,
  };
}

function decoderOf(
  signature: ModelSignature,
  embeddingFile: string | null,
  slotTokens: number,
): NonNullable<Inspection['decoder']> {
  const { modelFile, layers, kvHeads, headSize, sharesCache, logits, sideInputs, cacheType, slidingWindow } = signature;
  const form = capturable(signature, slotTokens);
  return {
    modelFile,
    embeddingFile,
    layers,
    kvHeads,
    headSize,
    attention: sharesCache ? 'GroupQueryAttention' : 'other operators',
    logits: logits.positions === 'last' ? 'last position' : 'every position',
    cacheType,
    kvType: keptAs(signature),
    tokenBytes: kvBytesOfToken(signature, keptAs(signature)),
    states: statesOf(signature),
    slidingWindow,
    changes: signature.edits.map(changeText),
    captureProblem: typeof form === 'string' ? form : null,
    inputs: ['input_ids', ...sideInputs.map(({ kind }) => kind)],
  };
}

function changeText(edit: ModelSignature['edits'][number]): string {
  if (edit.kind === 'last-position')
    return edit.readers.length === 1
      ? "logits are computed for a prompt's last position only"
      : "behind the last attention a prompt's last position only is computed";
  if (edit.kind === 'sliced-positions')
    return edit.counted === true
      ? 'logits are computed for as many last positions as a run asks for'
      : 'the last position is taken without looking at lengths';
  if (edit.kind === 'whole-cache') return 'sliding-window layers keep their whole past instead of a ring';
  if (edit.kind === 'cache-branch') return 'the branch of a merged decoder is chosen by its past';
  if (edit.kind === 'lengths') return "rows' lengths are inputs in the place of a mask";
  if (edit.kind === 'rotary-table') return 'the longer of two rotary tables is taken always';
  if (edit.kind === 'embedding')
    return `tokens become embeddings by ${basename(edit.file)}, the other graph of the export`;
  if (edit.kind === 'position-rows') return `positions stand in ${edit.rows} rows, which text has the same in all`;
  const where = edit.layers === null ? 'all layers' : `layers ${edit.layers.join(', ')}`;
  return `a window of ${edit.tokens} tokens is put into attention of ${where}, as genai_config.json has it`;
}

function statesOf(signature: ModelSignature): NonNullable<Inspection['decoder']>['states'] {
  const { states, stateBytes } = signature;
  if (states.length === 0) return null;
  const inputs = states.map(({ past, sizes }) => `${past} [${sizes.join(', ')}]`);
  const inPrefixCache = blocksHaveStates(stateBytes, kvBytesOfToken(signature, keptAs(signature)));
  return { count: states.length, bytes: stateBytes, inputs, inPrefixCache };
}

function memoryOf(signature: ModelSignature, slots: number, slotTokens: number) {
  const kvBytes = kvBytesOfToken(signature, keptAs(signature)) * slots * slotTokens;
  return { slots, slotTokens, kvBytes, stateBytes: signature.stateBytes * slotsOfStates(slots, 0) };
}

function keptAs({ ownCache, cacheType }: ModelSignature): KvType {
  return ownCache ?? cacheType;
}

/** What a load would find: only attention of our own library keeps keys and values as something else than the graph has. */
function kvTypeProblems(signature: ModelSignature, { kvType }: CpuChoices): Problem[] {
  const kept = keptAs(signature);
  if (kvType === 'auto' || kvType === kept) return [];
  const problem = `its keys and values are asked for as ${kvType} (MILLRACE_KV_TYPE), but its attention keeps them as ${kept}`;
  return [{ file: signature.modelFile, problem, remedy: 'leave MILLRACE_KV_TYPE at auto' }];
}

/** Opens the model as a worker does, with one small slot. */
async function trialLoad(
  signature: ModelSignature,
  loading: CpuChoices & { readonly embeddingFile: string | null },
  contextLength: number | null,
  problems: Problem[],
): Promise<Inspection['path']> {
  const reasons: string[] = [];
  try {
    const runner = await openModelRunner({
      modelFile: signature.modelFile,
      slots: 1,
      slotTokens: Math.min(TRIAL_TOKENS, contextLength ?? TRIAL_TOKENS),
      threads: 0,
      binding: 'auto',
      maxChunkTokens: TRIAL_TOKENS,
      ...loading,
      onFallback: (reason) => reasons.push(reason),
    });
    const { kvCache, binding, provider, runtimeVersion, ownProducts, ownAttention, runInvariant } = runner.description;
    await runner.close();
    if (signature.rowsShareScales)
      reasons.push(
        'activations are quantized with one scale for a whole step, so each sequence has a run of its own, and answers may ' +
          'depend on how prompts are cut into chunks; a 4-bit export with MatMulNBits has neither',
      );
    else if (signature.rowsRunAlone)
      reasons.push(
        'experts multiply the rows that chose them together, so each sequence has a run of its own, and answers may depend on ' +
          'how prompts are cut into chunks',
      );
    if (reasons.length === 0)
      reasons.push(
        kvCache === 'in-place'
          ? 'every layer is a GroupQueryAttention node, and a self-test has shown that past and present can share memory'
          : 'not every layer is a GroupQueryAttention node, so each step writes the whole cache anew; an export with GroupQueryAttention is faster',
      );
    return { kvCache, binding, provider, runtimeVersion, ownProducts, ownAttention, runInvariant, reasons };
  } catch (error) {
    problems.push(...problemsOf(error, signature.modelFile));
    return null;
  }
}

function problemsOf(error: unknown, file: string): Problem[] {
  if (error instanceof ModelFolderError) return [...error.problems];
  const message = error instanceof Error ? error.message : String(error);
  return [{ file, problem: message, remedy: 'see the message' }];
}

function tokenizerOf(json: string): NonNullable<Inspection['tokenizer']> {
  const parsed: { model?: { type?: string }; added_tokens?: { special?: boolean }[] } = JSON.parse(json);
  const type = parsed.model?.type ?? 'BPE';
  const kind = json.includes('"ByteLevel"') ? `byte-level ${type}` : `SentencePiece ${type}`;
  return { kind, controlTokens: (parsed.added_tokens ?? []).filter(({ special }) => special === true).length };
}

function eosTokens(folder: ModelFolder, json: string): Inspection['eosTokens'] {
  const parsed: { added_tokens?: { id: number; content: string }[] } = JSON.parse(json);
  const texts = new Map((parsed.added_tokens ?? []).map(({ id, content }) => [id, content]));
  return folder.eosTokenIds.map((id) => ({ id, text: texts.get(id) ?? '' }));
}

/** What config.json says of the language model. */
async function configJson(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(join(folder, 'config.json'), 'utf8').catch(() => '{}');
  try {
    const config: unknown = JSON.parse(text);
    return { ...(config as object), ...textConfig<object>(config ?? {}) };
  } catch {
    return {}; // openModelFolder complains about it
  }
}

function numberOf(config: Readonly<Record<string, unknown>>, field: string): number | null {
  const value = config[field];
  return typeof value === 'number' ? value : null;
}

async function firstFile(folder: string, names: readonly string[]): Promise<string | null> {
  for (const name of names) if (await stat(join(folder, name)).catch(() => null)) return join(folder, name);
  return null;
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
}

import { posix } from 'node:path';
import { embeddingBeside, embeddingsAmong } from '../folder/embedding-names.ts';
import type { HubFile } from './hub-client.ts';
import { HubError } from './hub-error.ts';

export interface ChosenFile {
  readonly file: HubFile;
  /** Path in the model folder. */
  readonly path: string;
}

const SMALL_FILES = [
  'config.json',
  'generation_config.json',
  'genai_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'additional_chat_templates/tool_use.jinja',
  'chat_template.json',
  'processor_config.json',
  'LICENSE',
];

/** Names that transformers.js has for variants whose files are named otherwise. */
const FILE_VARIANTS: Readonly<Record<string, string>> = { q8: 'quantized', fp32: '' };

/**
 * The files of a repository that make a model folder. Of several variants (`model_q4.onnx`, `model_fp16.onnx`, …) one is taken,
 * and becomes `model.onnx`; where there are embeddings beside it in a graph of their own, those that go with it become `embed_tokens.onnx`. Builder
 * folders (genai_config.json) keep their names.
 * @param variant `q4` for `model_q4.onnx`; empty for `model.onnx`
 * @param subfolder of the repository that is the model folder; empty for the root
 * @throws HubError naming the variants that are there
 */
export function chooseFiles(repo: string, files: readonly HubFile[], variant: string, subfolder: string): ChosenFile[] {
  const prefix = subfolder === '' ? '' : `${subfolder.replace(/\/+$/, '')}/`;
  const byPath = new Map(files.map((file) => [file.path, file]));
  const small = SMALL_FILES.flatMap((name) => {
    const file = byPath.get(prefix + name) ?? byPath.get(name);
    return file === undefined ? [] : [{ file, path: name }];
  });
  const inside = files.filter(({ path }) => path.startsWith(prefix) && isSafe(path));
  if (byPath.has(`${prefix}genai_config.json`)) {
    const models = inside.filter(({ path }) => /^[^/]+\.onnx([._]data.*)?$/.test(path.slice(prefix.length)));
    return [...small, ...models.map((file) => ({ file, path: file.path.slice(prefix.length) }))];
  }
  const suffixes = [variant, FILE_VARIANTS[variant] ?? variant].map((name) =>
    name === '' ? '.onnx' : `_${name}.onnx`,
  );
  const name = `model${suffixes[0]}`;
  // Older repositories have optimum's name for decoders that serve prompts and single tokens alike.
  const candidates = suffixes.flatMap((suffix) =>
    [`onnx/model`, 'model', 'onnx/decoder_model_merged'].map((stem) => `${stem}${suffix}`),
  );
  for (const candidate of candidates) {
    const model = byPath.get(prefix + candidate);
    if (model === undefined) continue;
    const folder = candidate.startsWith('onnx/') ? 'onnx/' : '';
    // A graph's file names its weights, so they keep their names.
    const withWeights = (graph: HubFile, path: string): ChosenFile[] => {
      const weights = inside.filter(
        (file) => file.path.startsWith(`${graph.path}_data`) || file.path.startsWith(`${graph.path}.data`),
      );
      return [{ file: graph, path }, ...weights.map((file) => ({ file, path: file.path.slice(prefix.length) }))];
    };
    const embedding = embeddingOf(repo, model.path, inside);
    return [
      ...small,
      ...withWeights(model, `${folder}model.onnx`),
      ...(embedding === null ? [] : withWeights(embedding, `${folder}embed_tokens.onnx`)),
    ];
  }
  const others = inside.map(({ path }) => path).filter((path) => path.endsWith('.onnx'));
  throw new HubError(
    repo,
    `it has no ${prefix}onnx/${name}`,
    others.length > 0
      ? `choose with --variant or --subfolder among ${others.slice(0, 12).join(', ')}`
      : files.some(({ path }) => path.endsWith('.gguf'))
        ? 'it holds GGUFs: download one and use millrace models import'
        : 'take an ONNX export of the model, such as those of onnx-community',
  );
}

/** Null where none is beside the decoder. @throws HubError where several are and their names do not tell which belongs to it */
function embeddingOf(repo: string, decoder: string, files: readonly HubFile[]): HubFile | null {
  const beside = files.filter(({ path }) => posix.dirname(path) === posix.dirname(decoder));
  const names = beside.map(({ path }) => posix.basename(path));
  const chosen = embeddingBeside(decoder, names);
  const several = embeddingsAmong(names);
  if (chosen === null && several.length > 0)
    throw new HubError(
      repo,
      `of ${several.join(', ')} the names do not tell which belongs to ${decoder}`,
      'download the files by hand, and leave one of them in the folder',
    );
  return beside.find(({ path }) => posix.basename(path) === chosen) ?? null;
}

/** Paths come from the hub: none may lead out of the folder. */
function isSafe(path: string): boolean {
  return !path.startsWith('/') && !path.includes('\\') && !path.split('/').includes('..');
}

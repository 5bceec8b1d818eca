import { basename } from 'node:path';

/** What hubs call the graph from tokens to embeddings. */
const STEMS = ['embed_tokens', 'prepare_inputs_embeds'] as const;
/** Further graphs of models that see or hear, which text does not need. */
const OTHER_PARTS = /^(vision|audio|image|speech|text)_|^(encoder|projector|multi_modal_projector|gen_|lm_heads?)/;
/**
 * Precisions as transformers.js names them, from what loses nothing to what loses most; halves first beside a decoder of halves, whose
 * embeddings become halves anyway. Quantizers of products leave tables alone, so `q4` mostly holds the same as none.
 */
const PRECISIONS = ['', 'fp32', 'fp16', 'q8', 'quantized', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'] as const;

/** Whether a file is part of a model in several graphs by its name, and not the decoder. */
export function isOtherPart(file: string): boolean {
  const name = basename(file);
  return isEmbedding(name) || OTHER_PARTS.test(name);
}

function isEmbedding(name: string): boolean {
  return STEMS.some((stem) => name.startsWith(stem));
}

/**
 * Among the files beside a decoder the one with its embeddings: of its own precision where there is one, else the one that loses least; null
 * where there is none, and where several have names that do not tell.
 * @param decoder the name of its file; `files` those beside it
 */
export function embeddingBeside(decoder: string, files: readonly string[]): string | null {
  const embeddings = files.filter((name) => isEmbedding(name) && name.endsWith('.onnx'));
  if (embeddings.length <= 1) return embeddings[0] ?? null;
  const own = precisionOf(decoder);
  const halves = own.endsWith('16') ? ['fp16'] : [];
  for (const precision of [own, ...halves, ...PRECISIONS])
    for (const stem of STEMS) {
      const name = `${stem}${precision === '' ? '' : `_${precision}`}.onnx`;
      if (embeddings.includes(name)) return name;
    }
  return null;
}

/** All names of embeddings among some files. */
export function embeddingsAmong(files: readonly string[]): string[] {
  return files.filter((name) => isEmbedding(name) && name.endsWith('.onnx'));
}

function precisionOf(file: string): string {
  const name = basename(file, '.onnx');
  return PRECISIONS.find((precision) => precision !== '' && name.endsWith(`_${precision}`)) ?? '';
}

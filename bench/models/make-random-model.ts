import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decoderGraph } from '../../libs/models/src/import/decoder/decoder-graph.ts';
import { rotaryTables } from '../../libs/models/src/import/decoder/rotary-tables.ts';
import { saveOnnx } from '../../libs/models/src/import/onnx/save-onnx.ts';
import { RANDOM_SHAPES, type RandomShape, randomShape } from './random-shapes.ts';
import { RandomWeights } from './random-weights.ts';

/** Where made models lie, below what git ignores. */
export const RANDOM_MODELS = fileURLToPath(new URL('../../.millrace/bench-models/', import.meta.url));

const PIECE_BYTES = 1 << 30;
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'generation_config.json'];

/**
 * A model folder of a shape with random float16 weights, made once: GroupQueryAttention, weights beside the file, a few megabytes of memory
 * at a time. Its tokenizer is another model's.
 * @param tokenizerFolder with no more tokens than the shape's vocabulary
 */
export async function makeRandomModel(shape: RandomShape, folder: string, tokenizerFolder: string): Promise<void> {
  if (existsSync(join(folder, 'model.onnx'))) return;
  const unfinished = `${folder.replace(/\/$/, '')}.unfinished-${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  try {
    const graph = decoderGraph(shape, new RandomWeights(shape), rotaryTables(shape, null), 'float16');
    await saveOnnx(graph, join(unfinished, 'model.onnx'), { pieceBytes: PIECE_BYTES });
    await writeFile(join(unfinished, 'config.json'), `${JSON.stringify(configOf(shape), null, 2)}\n`);
    for (const name of TOKENIZER_FILES) await copyFile(join(tokenizerFolder, name), join(unfinished, name));
    await rm(folder, { recursive: true, force: true });
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Folder of a shape's model below `RANDOM_MODELS`, made when it is not there. */
export async function randomModel(shape: RandomShape): Promise<string> {
  const folder = join(RANDOM_MODELS, shape.name);
  const tokenizer = shape.name === 'tiny' ? 'test/fixtures/models/tiny-llama' : 'models/smollm2-135m-instruct';
  await makeRandomModel(shape, folder, fileURLToPath(new URL(`../../${tokenizer}`, import.meta.url)));
  return folder;
}

/** As Hugging Face's exports have it: transformers makes the same shape of it. */
function configOf(shape: RandomShape): object {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: shape.vocabulary,
    hidden_size: shape.hidden,
    intermediate_size: shape.feedForward,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headSize,
    max_position_embeddings: shape.positions,
    rope_theta: shape.ropeTheta,
    rms_norm_eps: shape.normEpsilon,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    torch_dtype: 'float16',
  };
}

if (import.meta.main) {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 0) {
    console.error(`Name shapes to make: ${Object.keys(RANDOM_SHAPES).join(', ')}.`);
    process.exit(2);
  }
  for (const name of positionals) console.log(await randomModel(randomShape(name)));
}

import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { embeddingBeside } from './embedding-names.ts';
import { openModelFolder } from './model-folder.ts';
import { ModelFolderError } from './model-folder-error.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'choose-graphs-'));
});
afterEach(() => rm(root, { recursive: true }));

/** A copy of an export in two graphs. */
async function copied(name: string): Promise<string> {
  const path = join(root, name);
  await cp(fileURLToPath(new URL(`../../../../test/fixtures/exports/${name}`, import.meta.url)), path, {
    recursive: true,
  });
  return path;
}

async function problems(path: string): Promise<string[]> {
  const error = await openModelFolder(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ModelFolderError);
  return (error as ModelFolderError).problems.map(({ file, problem, remedy }) => `${file}: ${problem}. ${remedy}`);
}

describe("a hub's folder of an export in two graphs", () => {
  it('has its decoder, its embedding, and what the configuration of the text says', async () => {
    const path = await copied('qwen3-community-vl');
    await writeFile(join(path, 'onnx/vision_encoder_q4.onnx'), '');
    const { modelFile, embeddingFile, config, eosTokenIds, card } = await openModelFolder(path).then((folder) => ({
      ...folder,
      eosTokenIds: folder.eosTokenIds,
      card: folder.card({ model: 'm', contextLength: 256 }),
    }));
    expect(modelFile).toBe(join(path, 'onnx/decoder_model_merged_q4.onnx'));
    expect(embeddingFile).toBe(join(path, 'onnx/embed_tokens_fp16.onnx'));
    expect(config).toEqual({ modelType: 'qwen3_vl', vocabularySize: 384, maxPositions: 256 });
    expect(eosTokenIds).toEqual([2]);
    expect(card.chatTemplate).toContain('<|im_start|>');
  });

  it.each(['llm_config', 'language_config'])("reads the text's configuration in %s too", async (name) => {
    const path = await copied('qwen3-community-vl');
    const { text_config: text, ...config } = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));
    await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, [name]: text }));
    expect((await openModelFolder(path)).config).toMatchObject({ vocabularySize: 384, maxPositions: 256 });
  });

  it('takes the template that its processor has', async () => {
    const path = await copied('gemma3-community-3n');
    const template = (await openModelFolder(path)).card({ model: 'm', contextLength: 256 }).chatTemplate;
    expect(template).toBe(JSON.parse(await readFile(join(path, 'processor_config.json'), 'utf8')).chat_template);
  });

  it('says what is missing, and what to copy', async () => {
    const path = await copied('gemma3-community-3n');
    await rm(join(path, 'onnx/embed_tokens.onnx_data'));
    expect(await problems(path)).toEqual([
      expect.stringMatching(
        /^onnx\/embed_tokens\.onnx_data: it is missing; onnx\/embed_tokens\.onnx reads 147456 bytes/,
      ),
    ]);
    await rm(join(path, 'onnx/embed_tokens.onnx'));
    expect(await problems(path)).toEqual([
      'onnx/embed_tokens.onnx: it is missing; onnx/decoder_model_merged.onnx takes embeddings (inputs_embeds) in the place of tokens. ' +
        'copy the embed_tokens file of the same export beside it',
    ]);
    await rename(join(path, 'onnx/decoder_model_merged.onnx'), join(path, 'onnx/vision_encoder.onnx'));
    expect(await problems(path)).toEqual([
      'onnx/decoder_model_merged.onnx: it is missing: there are onnx/vision_encoder.onnx, none of which is a decoder. ' +
        'copy the decoder of the same export into the folder',
    ]);
  });

  it('refuses several embeddings whose names tell nothing, and a choice of decoders', async () => {
    const path = await copied('gemma3-community-3n');
    const onnx = join(path, 'onnx');
    await cp(join(onnx, 'embed_tokens.onnx'), join(onnx, 'embed_tokens_mine.onnx'));
    await rename(join(onnx, 'embed_tokens.onnx'), join(onnx, 'embed_tokens_yours.onnx'));
    expect(await problems(path)).toEqual([
      expect.stringMatching(
        /of embed_tokens_mine\.onnx, embed_tokens_yours\.onnx the names do not tell.* leave one of them/,
      ),
    ]);
    for (const variant of ['q4', 'fp16'])
      await cp(join(onnx, 'decoder_model_merged.onnx'), join(onnx, `decoder_model_merged_${variant}.onnx`));
    await rm(join(onnx, 'decoder_model_merged.onnx'));
    expect(await problems(path)).toEqual([
      expect.stringMatching(
        /there are onnx\/decoder_model_merged_fp16\.onnx, onnx\/decoder_model_merged_q4\.onnx\. name one of them: /,
      ),
    ]);
  });
});

it('takes the files that genai_config.json names', async () => {
  const path = await copied('llama-genai-multimodal');
  const { modelFile, embeddingFile } = await openModelFolder(path);
  expect([modelFile, embeddingFile]).toEqual([join(path, 'text.onnx'), join(path, 'embedding.onnx')]);
  await rm(join(path, 'embedding.onnx'));
  expect(await problems(path)).toEqual([
    expect.stringMatching(
      /^embedding\.onnx: it is missing; text\.onnx takes embeddings .* genai_config\.json says model\.embedding\.filename/,
    ),
  ]);
});

it('pairs an embedding with its decoder by precision: the same, else what loses least', () => {
  const all = ['', '_fp16', '_q4', '_q4f16', '_quantized'].map((suffix) => `embed_tokens${suffix}.onnx`);
  const beside = (decoder: string, files: readonly string[]) =>
    embeddingBeside(decoder, [...files, 'vision_encoder.onnx']);
  expect(beside('decoder_model_merged_q4.onnx', all)).toBe('embed_tokens_q4.onnx');
  expect(beside('decoder_model_merged.onnx', all)).toBe('embed_tokens.onnx');
  expect(beside('onnx/decoder_model_merged_q4f16.onnx', all)).toBe('embed_tokens_q4f16.onnx');
  expect(beside('decoder_model_merged_q4f16.onnx', all.slice(0, 2))).toBe('embed_tokens_fp16.onnx');
  expect(beside('decoder_model_merged_q4.onnx', ['embed_tokens_quantized.onnx', 'embed_tokens_fp16.onnx'])).toBe(
    'embed_tokens_fp16.onnx',
  );
  expect(beside('model_q4.onnx', ['prepare_inputs_embeds_fp16.onnx'])).toBe('prepare_inputs_embeds_fp16.onnx');
  expect(beside('decoder_model_merged_q4.onnx', [])).toBeNull();
});

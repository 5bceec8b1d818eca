import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { importGguf } from './import-gguf.ts';
import { FIXTURES, ImportTrial } from './testing/import-trial.ts';

let trial: ImportTrial;
beforeEach(async () => {
  trial = await ImportTrial.begin();
});
afterEach(() => trial[Symbol.asyncDispose]());

describe('metadata of a GGUF', () => {
  it.each<[string, unknown, RegExp]>([
    ['general.alignment', 0, /general\.alignment is 0, it must be a whole number above 0/],
    ['general.type', 'adapter', /general\.type is adapter, it must be model/],
    ['llama.block_count', 1.5, /block_count is 1\.5, it must be a whole number from 1 to/],
    ['llama.block_count', 0, /block_count is 0, it must be a whole number from 1 to/],
    ['llama.attention.head_count', 3, /head_count_kv is 2, which does not divide the 3 heads/],
    ['llama.attention.head_count_kv', [2, 1], /head_count_kv is a list with 2 different values, layers that differ/],
    ['llama.attention.key_length', 15, /key_length is 15, heads must have a multiple of 8/],
    ['llama.attention.key_length', [], /key_length is a list with 0 different values/],
    ['llama.context_length', 0, /context_length is 0, it must be a whole number from 8 to/],
    ['llama.context_length', 2n ** 63n, /context_length is 9223372036854776000, it must be a whole number/],
    [
      'llama.context_length',
      2 ** 30,
      /context_length is 1073741824, for which the rotary tables take 65536 MiB.*--positions/,
    ],
    ['llama.attention.layer_norm_rms_epsilon', Number.NaN, /rms_epsilon is NaN, it must be a number/],
    ['llama.rope.freq_base', 0, /freq_base is 0, it must be above 0/],
    ['llama.rope.scaling.factor', -2, /scaling\.factor is -2, it must not be below 0/],
    ['llama.expert_count', 8, /expert_count is 8, which is not supported.*ONNX export/],
    ['llama.logit_scale', 0.5, /logit_scale is 0\.5, which is not supported/],
    ['llama.attention.causal', false, /attention\.causal is false, which is not supported/],
    ['llama.attention.sliding_window', 16, /sliding_window is 16, attention in windows.*--positions 16/],
    ['tokenizer.ggml.tokens', [], /ggml\.tokens is empty/],
    ['tokenizer.ggml.token_type', [1, 2], /token_type is a list of 2, the vocabulary has 384 tokens/],
    ['tokenizer.ggml.eos_token_id', 99_999, /eos_token_id is 99999, the vocabulary has 384 tokens/],
    ['tokenizer.ggml.merges', ['zzz yyy'], /merges\[0\] is "zzz yyy", which is no pair of tokens/],
  ])('refuses %s = %o by name', async (field, value, expected) => {
    const file = await trial.edited((gguf) => gguf.metadata.set(field, value as number));
    expect(await trial.problem({ file })).toMatch(expected);
  });

  it('takes fields that have the same value for each layer, and a scaling factor of 0 as none', async () => {
    const file = await trial.edited(({ metadata }) => {
      metadata.set('llama.attention.head_count_kv', [2, 2]);
      metadata.set('llama.feed_forward_length', [128, 128]);
      metadata.set('llama.rope.scaling.factor', 0);
      metadata.set('llama.attention.sliding_window', 512);
    });
    const { decoder } = await importGguf({ file, folder: trial.path('alike') });
    expect(decoder).toMatchObject({ kvHeads: 2, feedForward: 128, ropeScaling: { type: 'none', factor: 1 } });
  });

  it('keeps the template for tools beside the other, and neither beside one that is given', async () => {
    const file = await trial.edited(({ metadata }) => metadata.set('tokenizer.chat_template.tool_use', '{{ tools }}'));
    const template = async (folder: string) => readFile(join(folder, 'chat_template.jinja'), 'utf8');
    const { folder } = await importGguf({ file, folder: trial.path('tools') });
    expect(await template(folder)).toContain('{{ tools }}');
    const given = trial.path('given.jinja');
    await writeFile(given, '{{ messages[0].content }}');
    const other = await importGguf({ file, folder: trial.path('given'), chatTemplateFile: given });
    expect(await template(other.folder)).toBe('{{ messages[0].content }}');
  });

  it('names the architecture, the pre-tokenizer and the tokenizer that it does not know, with what to do', async () => {
    expect(await trial.problem({ file: await trial.changed('llama', 'gemma') })).toMatch(
      /general.architecture is gemma, supported are llama, qwen2, qwen3\. Remedy: take an ONNX export/,
    );
    const unknown = await trial.changed('gpt-2', 'dbrx2');
    expect(await trial.problem({ file: unknown })).toMatch(/tokenizer\.ggml\.pre is dbrx2, known are .*--tokenizer/);
    const { folder } = await importGguf({
      file: unknown,
      folder: trial.path('elsewhere'),
      tokenizerFolder: join(FIXTURES, 'models/tiny-llama'),
    });
    expect((await openModelFolder(folder)).config.vocabularySize).toBe(384);
  });
});

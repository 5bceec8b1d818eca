import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { PromptRenderer } from '../prompt/prompt-renderer.ts';
import { parseGgufHeader } from './gguf/gguf-header.ts';
import { type ImportOptions, importGguf } from './import-gguf.ts';
import { ModelImportError } from './model-import-error.ts';
import { type EditableGguf, editGguf } from './testing/edited-gguf.ts';

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/', import.meta.url));
const LLAMA = join(fixtures, 'gguf/llama-q4_1.gguf');
const LLAMA_WITH_DIVISORS = join(fixtures, 'gguf/llama-f16.gguf');

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-import-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function problem(options: Partial<ImportOptions>): Promise<string> {
  const failure = await importGguf({ file: LLAMA, folder: join(root, 'out'), ...options }).catch((error) => error);
  expect(failure).toBeInstanceOf(ModelImportError);
  expect(await readdir(root)).not.toContain('out');
  expect((await readdir(root)).filter((name) => name.includes('unfinished'))).toEqual([]);
  return failure.message;
}

/** A copy of the fixture in which `from` is replaced by text of the same length. */
async function changed(from: string, to: string): Promise<string> {
  const bytes = await readFile(LLAMA);
  const at = bytes.indexOf(from);
  expect(at).toBeGreaterThan(0);
  bytes.write(to.padEnd(from.length).slice(0, from.length), at);
  const file = join(root, 'changed.gguf');
  await writeFile(file, bytes);
  return file;
}

const edited = (edit: (gguf: EditableGguf) => void, source = LLAMA) =>
  editGguf(source, join(root, 'edited.gguf'), edit);

describe('importGguf', () => {
  it('makes a folder that is served as it is, with the tokenizer and template of the metadata', async () => {
    const seen: number[] = [];
    const imported = await importGguf({
      file: LLAMA,
      folder: join(root, 'model'),
      pieceBytes: 30_000,
      onProgress: ({ writtenBytes }) => seen.push(writtenBytes),
    });
    expect(imported).toMatchObject({ vocabularySize: 384, tied: true });
    expect(seen.at(-1)).toBe(imported.writtenBytes);
    const files = await readdir(imported.folder);
    expect(files.filter((name) => name.startsWith('model.onnx.data.')).length).toBeGreaterThan(1);
    const folder = await openModelFolder(imported.folder);
    expect(folder.config).toEqual({ modelType: 'llama', vocabularySize: 384, maxPositions: 512 });
    expect(folder.eosTokenIds).toEqual([2]);
    const reference = JSON.parse(await readFile(join(fixtures, 'models/tiny-llama/reference.json'), 'utf8'));
    const renderer = PromptRenderer.fromCard(folder.card({ model: 'tiny', contextLength: 512 }));
    for (const { messages, addGenerationPrompt, text, tokenIds } of reference.expectedRendering) {
      const rendered = renderer.render(messages, { addGenerationPrompt });
      expect(rendered.text).toBe(text);
      expect([...rendered.tokenIds]).toEqual(tokenIds);
    }
  });

  it('cuts the positions when asked to', async () => {
    const { folder } = await importGguf({ file: LLAMA, folder: join(root, 'short'), positions: 128 });
    expect((await openModelFolder(folder)).config.maxPositions).toBe(128);
  });

  it('refuses files that are missing, no GGUF, or cut off', async () => {
    expect(await problem({ file: join(root, 'nothing.gguf') })).toMatch(/ENOENT/);
    await writeFile(join(root, 'no.gguf'), 'hello, this is text');
    expect(await problem({ file: join(root, 'no.gguf') })).toMatch(/does not begin with "GGUF"/);
    const bytes = await readFile(LLAMA);
    const cut = join(root, 'cut.gguf');
    await writeFile(cut, bytes);
    await truncate(cut, bytes.length - 5_000);
    expect(await problem({ file: cut })).toMatch(/cut off: tensor .* ends at byte \d+, the file at \d+.*download/);
    await truncate(cut, 3_000);
    expect(await problem({ file: cut })).toMatch(
      /ggml\.tokens is 384: it is cut off or damaged, 3000 bytes are too few/,
    );
    await truncate(cut, 30);
    expect(await problem({ file: cut })).toMatch(/cut off/);
    expect(await problem({ file: root })).toMatch(/it is no file\. Remedy: give the path of a \.gguf file/);
  });

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
    const file = await edited((gguf) => gguf.metadata.set(field, value as number));
    expect(await problem({ file })).toMatch(expected);
  });

  it('takes fields that have the same value for each layer, and a scaling factor of 0 as none', async () => {
    const file = await edited(({ metadata }) => {
      metadata.set('llama.attention.head_count_kv', [2, 2]);
      metadata.set('llama.feed_forward_length', [128, 128]);
      metadata.set('llama.rope.scaling.factor', 0);
      metadata.set('llama.attention.sliding_window', 512);
    });
    const { decoder } = await importGguf({ file, folder: join(root, 'alike') });
    expect(decoder).toMatchObject({ kvHeads: 2, feedForward: 128, ropeScaling: { type: 'none', factor: 1 } });
  });

  it('refuses tensors of other shapes than they must have, empty, twice, or with divisors of 0', async () => {
    const withTensor = (name: string, edit: (tensor: EditableGguf['tensors'][number], gguf: EditableGguf) => void) =>
      edited((gguf) => edit(gguf.tensors.find((tensor) => tensor.name === name)!, gguf), LLAMA_WITH_DIVISORS);
    const two = await withTensor('output_norm.weight', (tensor) => {
      tensor.dimensions = [64, 2];
      tensor.data = Buffer.concat([tensor.data, tensor.data]);
    });
    expect(await problem({ file: two })).toMatch(/output_norm\.weight is \[2, 64\], expected \[1, 64\]/);
    const none = await withTensor('token_embd.weight', (tensor) => Object.assign(tensor, { dimensions: [64, 0] }));
    expect(await problem({ file: none })).toMatch(/token_embd\.weight is empty, \[64, 0\]/);
    const twice = await withTensor('output_norm.weight', (tensor, { tensors }) => tensors.push({ ...tensor }));
    expect(await problem({ file: twice })).toMatch(/it has the tensor output_norm\.weight twice/);
    const short = await withTensor('rope_freqs.weight', (tensor) => Object.assign(tensor, { dimensions: [4] }));
    expect(await problem({ file: short })).toMatch(/rope_freqs\.weight is \[1, 4\], expected \[1, 8\]/);
    const zero = await withTensor('rope_freqs.weight', (tensor) => tensor.data.fill(0));
    expect(await problem({ file: zero })).toMatch(/rope_freqs\.weight has the divisor 0/);
    const fewer = await withTensor('token_embd.weight', (tensor) => Object.assign(tensor, { dimensions: [64, 100] }));
    const head = await editGguf(fewer, join(root, 'fewer.gguf'), (gguf) => {
      gguf.tensors = gguf.tensors.filter(({ name }) => name !== 'output.weight');
    });
    expect(await problem({ file: head })).toMatch(
      /tokens lists 384 tokens, tensor token_embd\.weight has rows for 100/,
    );
  });

  it('reads no further than a header can be, and follows no lists without end', async () => {
    const deep = await edited(({ metadata }) => {
      let list: readonly unknown[] = [];
      for (let depth = 0; depth < 3_000; depth++) list = [list];
      metadata.set('x.deep', list as never);
    });
    expect(await problem({ file: deep })).toMatch(/x\.deep has lists in lists, 9 deep/);
    const bytes = await readFile(LLAMA);
    bytes.writeBigUInt64LE(2n ** 40n, 8);
    await writeFile(join(root, 'many.gguf'), bytes);
    expect(await problem({ file: join(root, 'many.gguf') })).toMatch(
      /the number of tensors is 1099511627776: it is cut off/,
    );
  });

  it('refuses damaged headers with its own errors, or makes a folder that is served', async () => {
    const bytes = await readFile(LLAMA);
    const file = join(root, 'damaged.gguf');
    const headerBytes = parseGgufHeader(LLAMA, bytes, bytes.length).dataStart;
    const damage = fc.array(fc.tuple(fc.nat(headerBytes - 8), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(8)), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (places) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value, length] of places) {
          const number = Buffer.from(BigUint64Array.of(value).buffer).subarray(0, length);
          number.copy(damaged, at);
        }
        await writeFile(file, damaged);
        const folder = join(root, 'from-damaged');
        const outcome = await importGguf({ file, folder }).catch((error: unknown) => error);
        await rm(folder, { recursive: true, force: true });
        if (outcome instanceof Error) expect(['ModelImportError', 'ModelFolderError']).toContain(outcome.name);
        expect((await readdir(root)).filter((name) => name.includes('unfinished'))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('imports a model that is split into several files, whichever is named', async () => {
    const part = (number: number) => join(root, `m-0000${number + 1}-of-00002.gguf`);
    const split = (number: number) => (gguf: EditableGguf) => {
      if (number > 0) gguf.metadata.clear();
      gguf.metadata.set('split.no', number).set('split.count', 2).set('split.tensors.count', gguf.tensors.length);
      gguf.tensors = gguf.tensors.filter((_, index) => index % 2 === number);
    };
    await editGguf(LLAMA, part(0), split(0));
    expect(await problem({ file: part(0) })).toMatch(/m-00002-of-00002\.gguf cannot be imported: ENOENT/);
    await editGguf(LLAMA, part(1), split(1));
    const whole = await importGguf({ file: LLAMA, folder: join(root, 'whole') });
    for (const number of [0, 1]) {
      const { folder } = await importGguf({ file: part(number), folder: join(root, `from-${number}`) });
      for (const file of ['model.onnx', 'model.onnx.data.0', 'tokenizer.json', 'config.json'])
        expect(await readFile(join(folder, file))).toEqual(await readFile(join(whole.folder, file)));
    }
    await copyFile(part(0), join(root, 'renamed.gguf'));
    expect(await problem({ file: join(root, 'renamed.gguf') })).toMatch(
      /it is part 1 of 2, and its name does not end so/,
    );
  });

  it('names the architecture, the pre-tokenizer and the tokenizer that it does not know, with what to do', async () => {
    expect(await problem({ file: await changed('llama', 'gemma') })).toMatch(
      /general.architecture is gemma, supported are llama, qwen2, qwen3\. Remedy: take an ONNX export/,
    );
    const unknown = await changed('gpt-2', 'dbrx2');
    expect(await problem({ file: unknown })).toMatch(/tokenizer\.ggml\.pre is dbrx2, known are .*--tokenizer/);
    const { folder } = await importGguf({
      file: unknown,
      folder: join(root, 'elsewhere'),
      tokenizerFolder: join(fixtures, 'models/tiny-llama'),
    });
    expect((await openModelFolder(folder)).config.vocabularySize).toBe(384);
  });

  it('names tensors of unknown types, missing ones, and ones that nothing would read', async () => {
    const bytes = await readFile(LLAMA);
    const name = 'blk.0.ffn_up.weight';
    const typeAt = bytes.indexOf(name) + name.length + 4 + 16;
    expect(bytes.readUInt32LE(typeAt)).toBe(3);
    bytes.writeUInt32LE(10, typeAt);
    await writeFile(join(root, 'type.gguf'), bytes);
    expect(await problem({ file: join(root, 'type.gguf') })).toMatch(
      /blk\.0\.ffn_up\.weight has the type Q2_K, supported/,
    );
    expect(await problem({ file: await changed(name, 'blk.0.ffn_xx.weight') })).toMatch(
      /blk\.0\.ffn_up\.weight is missing/,
    );
  });

  it('does not write into a folder that holds something', async () => {
    await writeFile(join(root, 'mine.txt'), 'keep');
    const failure = await importGguf({ file: LLAMA, folder: root }).catch((error) => error);
    expect(failure.message).toMatch(/is not empty\. Remedy: remove it or name another folder/);
    expect(await readdir(root)).toEqual(['mine.txt']);
    const overFile = await importGguf({ file: LLAMA, folder: join(root, 'mine.txt') }).catch((error) => error);
    expect(overFile.message).toMatch(/mine\.txt is no folder\. Remedy: remove it or name another folder/);
    expect(await readFile(join(root, 'mine.txt'), 'utf8')).toBe('keep');
    await mkdir(join(root, 'empty'));
    await importGguf({ file: LLAMA, folder: join(root, 'empty') });
    const below = await importGguf({ file: LLAMA, folder: join(root, 'mine.txt', 'below') }).catch((error) => error);
    expect(below).toBeInstanceOf(ModelImportError);
    expect(below.message).toMatch(/mine\.txt\/below cannot be written \(ENOTDIR/);
  });

  it('names the files of --tokenizer and --chat-template that cannot be read, and positions that are too few', async () => {
    expect(await problem({ tokenizerFolder: root })).toMatch(/tokenizer\.json cannot be read.*correct --tokenizer/);
    expect(await problem({ chatTemplateFile: root })).toMatch(/cannot be read.*correct --chat-template/);
    expect(await problem({ positions: 4 })).toMatch(/--positions is 4, the least is 8/);
  });

  it('wants a chat template, from the file or from elsewhere', async () => {
    const without = await changed('tokenizer.chat_template', 'tokenizer.chat_templaxx');
    expect(await problem({ file: without })).toMatch(/no chat template .*--chat-template/);
    const chatTemplateFile = join(fixtures, 'models/tiny-llama/chat_template.jinja');
    const { folder } = await importGguf({ file: without, folder: join(root, 'with'), chatTemplateFile });
    expect((await openModelFolder(folder)).eosTokenIds).toEqual([2]);
  });
});

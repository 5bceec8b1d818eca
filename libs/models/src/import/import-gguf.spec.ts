import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { PromptRenderer } from '../prompt/prompt-renderer.ts';
import { type ImportOptions, importGguf } from './import-gguf.ts';
import { ModelImportError } from './model-import-error.ts';

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/', import.meta.url));
const LLAMA = join(fixtures, 'gguf/llama-q4_1.gguf');

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
    expect(await problem({ file: cut })).toMatch(/cut off inside its header/);
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
  });

  it('wants a chat template, from the file or from elsewhere', async () => {
    const without = await changed('tokenizer.chat_template', 'tokenizer.chat_templaxx');
    expect(await problem({ file: without })).toMatch(/no chat template .*--chat-template/);
    const chatTemplateFile = join(fixtures, 'models/tiny-llama/chat_template.jinja');
    const { folder } = await importGguf({ file: without, folder: join(root, 'with'), chatTemplateFile });
    expect((await openModelFolder(folder)).eosTokenIds).toEqual([2]);
  });
});

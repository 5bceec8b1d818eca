import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { PromptRenderer } from '../prompt/prompt-renderer.ts';
import { importGguf } from './import-gguf.ts';
import { ModelImportError } from './model-import-error.ts';
import { type EditableGguf, editGguf } from './testing/edited-gguf.ts';
import { FIXTURES, ImportTrial, LLAMA } from './testing/import-trial.ts';

let trial: ImportTrial;
beforeEach(async () => {
  trial = await ImportTrial.begin();
});
afterEach(() => trial[Symbol.asyncDispose]());

describe('importGguf', () => {
  it('makes a folder that is served as it is, with the tokenizer and template of the metadata', async () => {
    const seen: number[] = [];
    const imported = await importGguf({
      file: LLAMA,
      folder: trial.path('model'),
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
    const reference = JSON.parse(await readFile(join(FIXTURES, 'models/tiny-llama/reference.json'), 'utf8'));
    const renderer = PromptRenderer.fromCard(folder.card({ model: 'tiny', contextLength: 512 }));
    for (const { messages, addGenerationPrompt, text, tokenIds } of reference.expectedRendering) {
      const rendered = renderer.render(messages, { addGenerationPrompt });
      expect(rendered.text).toBe(text);
      expect([...rendered.tokenIds]).toEqual(tokenIds);
    }
  });

  it('cuts the positions when asked to', async () => {
    const { folder } = await importGguf({ file: LLAMA, folder: trial.path('short'), positions: 128 });
    expect((await openModelFolder(folder)).config.maxPositions).toBe(128);
  });

  it('recommends how to sample as the GGUF does', async () => {
    const file = await trial.edited(({ metadata }) => {
      metadata.set('general.sampling.temp', Math.fround(0.6)).set('general.sampling.top_k', 20);
      metadata.set('general.sampling.penalty_repeat', Math.fround(1.05)).set('general.sampling.mirostat', 0);
    });
    const { folder } = await importGguf({ file, folder: trial.path('recommending') });
    const defaults = { temperature: 0.6, topK: 20, repetitionPenalty: 1.05 };
    expect((await openModelFolder(folder)).samplingDefaults).toEqual(defaults);
    const wrong = await trial.edited(({ metadata }) => metadata.set('general.sampling.temp', 'hot'));
    expect(await trial.problem({ file: wrong })).toMatch(/general\.sampling\.temp is string, it must be a number/);
  });

  it('imports a model that is split into several files, whichever is named', async () => {
    const part = (number: number) => trial.path(`m-0000${number + 1}-of-00002.gguf`);
    const split = (number: number) => (gguf: EditableGguf) => {
      if (number > 0) gguf.metadata.clear();
      gguf.metadata.set('split.no', number).set('split.count', 2).set('split.tensors.count', gguf.tensors.length);
      gguf.tensors = gguf.tensors.filter((_, index) => index % 2 === number);
    };
    await editGguf(LLAMA, part(0), split(0));
    expect(await trial.problem({ file: part(0) })).toMatch(/m-00002-of-00002\.gguf cannot be imported: ENOENT/);
    await editGguf(LLAMA, part(1), split(1));
    const whole = await importGguf({ file: LLAMA, folder: trial.path('whole') });
    for (const number of [0, 1]) {
      const { folder } = await importGguf({ file: part(number), folder: trial.path(`from-${number}`) });
      for (const file of ['model.onnx', 'model.onnx.data.0', 'tokenizer.json', 'config.json'])
        expect(await readFile(join(folder, file))).toEqual(await readFile(join(whole.folder, file)));
    }
    await copyFile(part(0), trial.path('renamed.gguf'));
    expect(await trial.problem({ file: trial.path('renamed.gguf') })).toMatch(
      /it is part 1 of 2, and its name does not end so/,
    );
  });

  it('does not write into a folder that holds something', async () => {
    await writeFile(trial.path('mine.txt'), 'keep');
    const failure = await importGguf({ file: LLAMA, folder: trial.root }).catch((error) => error);
    expect(failure.message).toMatch(/is not empty\. Remedy: remove it or name another folder/);
    expect(await readdir(trial.root)).toEqual(['mine.txt']);
    const overFile = await importGguf({ file: LLAMA, folder: trial.path('mine.txt') }).catch((error) => error);
    expect(overFile.message).toMatch(/mine\.txt is no folder\. Remedy: remove it or name another folder/);
    expect(await readFile(trial.path('mine.txt'), 'utf8')).toBe('keep');
    await mkdir(trial.path('empty'));
    await importGguf({ file: LLAMA, folder: trial.path('empty') });
    const below = await importGguf({ file: LLAMA, folder: trial.path('mine.txt', 'below') }).catch((error) => error);
    expect(below).toBeInstanceOf(ModelImportError);
    expect(below.message).toMatch(/mine\.txt\/below cannot be written \(ENOTDIR/);
  });

  it('names the files of --tokenizer and --chat-template that cannot be read, and positions that are too few', async () => {
    expect(await trial.problem({ tokenizerFolder: trial.root })).toMatch(
      /tokenizer\.json cannot be read.*correct --tokenizer/,
    );
    expect(await trial.problem({ chatTemplateFile: trial.root })).toMatch(/cannot be read.*correct --chat-template/);
    expect(await trial.problem({ positions: 4 })).toMatch(/--positions is 4, the least is 8/);
  });

  it('wants a chat template, from the file or from elsewhere', async () => {
    const without = await trial.changed('tokenizer.chat_template', 'tokenizer.chat_templaxx');
    expect(await trial.problem({ file: without })).toMatch(/no chat template .*--chat-template/);
    const chatTemplateFile = join(FIXTURES, 'models/tiny-llama/chat_template.jinja');
    const { folder } = await importGguf({ file: without, folder: trial.path('with'), chatTemplateFile });
    expect((await openModelFolder(folder)).eosTokenIds).toEqual([2]);
  });
});

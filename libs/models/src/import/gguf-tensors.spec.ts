import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EditableGguf, editGguf } from './testing/edited-gguf.ts';
import { ImportTrial, LLAMA, LLAMA_WITH_DIVISORS } from './testing/import-trial.ts';

let trial: ImportTrial;
beforeEach(async () => {
  trial = await ImportTrial.begin();
});
afterEach(() => trial[Symbol.asyncDispose]());

describe('tensors of a GGUF', () => {
  it('refuses tensors of other shapes than they must have, empty, twice, or with divisors of 0', async () => {
    const withTensor = (name: string, edit: (tensor: EditableGguf['tensors'][number], gguf: EditableGguf) => void) =>
      trial.edited((gguf) => edit(gguf.tensors.find((tensor) => tensor.name === name)!, gguf), LLAMA_WITH_DIVISORS);
    const two = await withTensor('output_norm.weight', (tensor) => {
      tensor.dimensions = [64, 2];
      tensor.data = Buffer.concat([tensor.data, tensor.data]);
    });
    expect(await trial.problem({ file: two })).toMatch(/output_norm\.weight is \[2, 64\], expected \[1, 64\]/);
    const none = await withTensor('token_embd.weight', (tensor) => Object.assign(tensor, { dimensions: [64, 0] }));
    expect(await trial.problem({ file: none })).toMatch(/token_embd\.weight is empty, \[64, 0\]/);
    const twice = await withTensor('output_norm.weight', (tensor, { tensors }) => tensors.push({ ...tensor }));
    expect(await trial.problem({ file: twice })).toMatch(/it has the tensor output_norm\.weight twice/);
    const short = await withTensor('rope_freqs.weight', (tensor) => Object.assign(tensor, { dimensions: [4] }));
    expect(await trial.problem({ file: short })).toMatch(/rope_freqs\.weight is \[1, 4\], expected \[1, 8\]/);
    const zero = await withTensor('rope_freqs.weight', (tensor) => tensor.data.fill(0));
    expect(await trial.problem({ file: zero })).toMatch(/rope_freqs\.weight has the divisor 0/);
    const fewer = await withTensor('token_embd.weight', (tensor) => Object.assign(tensor, { dimensions: [64, 100] }));
    const head = await editGguf(fewer, trial.path('fewer.gguf'), (gguf) => {
      gguf.tensors = gguf.tensors.filter(({ name }) => name !== 'output.weight');
    });
    expect(await trial.problem({ file: head })).toMatch(
      /tokens lists 384 tokens, tensor token_embd\.weight has rows for 100/,
    );
  });

  it('names tensors of unknown types, missing ones, and ones that nothing would read', async () => {
    const bytes = await readFile(LLAMA);
    const name = 'blk.0.ffn_up.weight';
    const typeAt = bytes.indexOf(name) + name.length + 4 + 16;
    expect(bytes.readUInt32LE(typeAt)).toBe(3);
    bytes.writeUInt32LE(10, typeAt);
    await writeFile(trial.path('type.gguf'), bytes);
    expect(await trial.problem({ file: trial.path('type.gguf') })).toMatch(
      /blk\.0\.ffn_up\.weight has the type Q2_K, supported/,
    );
    expect(await trial.problem({ file: await trial.changed(name, 'blk.0.ffn_xx.weight') })).toMatch(
      /blk\.0\.ffn_up\.weight is missing/,
    );
  });
});

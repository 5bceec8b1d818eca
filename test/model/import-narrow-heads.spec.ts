import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openModelRunner } from '#model-runner';
import { importGguf } from '#models';
import { type EditableGguf, editGguf } from '../../libs/models/src/import/testing/edited-gguf.ts';
import { differingValues, generateAlone, largestDifference, prefillInChunks } from './runner-driver.ts';

const SOURCE = fileURLToPath(new URL('../fixtures/gguf/llama-f16.gguf', import.meta.url));
const PROMPT = Array.from({ length: 40 }, (_, i) => 3 + ((i * 67) % 380));
const [NARROW, WIDE] = [8, 16];
const THETA = 10_000;
const F32 = 0;

/** The fixture's matrices read as twice as many heads of 8, which GroupQueryAttention does not rotate. */
function narrow({ metadata, tensors }: EditableGguf): void {
  metadata.set('llama.attention.head_count', 8).set('llama.attention.head_count_kv', 4);
  for (const field of ['attention.key_length', 'attention.value_length', 'rope.dimension_count'])
    metadata.set(`llama.${field}`, NARROW);
  metadata.set('llama.rope.freq_base', THETA);
  const divisors = tensors.findIndex(({ name }) => name === 'rope_freqs.weight');
  tensors.splice(divisors, 1);
}

/** The same function of the tokens with heads of 16: what is added is zero, and turns as it likes. */
function widened(gguf: EditableGguf): void {
  narrow(gguf);
  const { metadata, tensors } = gguf;
  for (const field of ['attention.key_length', 'attention.value_length', 'rope.dimension_count'])
    metadata.set(`llama.${field}`, WIDE);
  for (const tensor of tensors) {
    const [columns = 0, rows = 0] = tensor.dimensions;
    if (!/attn_(q|k|v|output)\.weight/.test(tensor.name)) continue;
    const values = new Float16Array(new Uint8Array(tensor.data).buffer, 0, columns * rows);
    const grows = tensor.name.includes('output') ? 'columns' : 'rows';
    const wide = grows === 'rows' ? [columns, rows * 2] : [columns * 2, rows];
    const out = new Float32Array(wide[0]! * wide[1]!);
    // Attention divides by the root of the heads' size.
    const factor = tensor.name.includes('attn_q') ? Math.SQRT2 : 1;
    const place = (index: number) => index + Math.floor(index / NARROW) * (WIDE - NARROW);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const [toRow, toColumn] = grows === 'rows' ? [place(row), column] : [row, place(column)];
        out[toRow * wide[0]! + toColumn] = factor * values[row * columns + column]!;
      }
    Object.assign(tensor, { typeNumber: F32, dimensions: wide, data: Buffer.from(out.buffer) });
  }
  // θ^(−2i/16) divided by this is θ^(−2i/8).
  const divisors = Float32Array.from({ length: WIDE / 2 }, (_, i) => (i < NARROW / 2 ? THETA ** (i / 8) : 1));
  const data = Buffer.from(divisors.buffer);
  tensors.push({ name: 'rope_freqs.weight', dimensions: [WIDE / 2], typeNumber: F32, data });
}

it('rotates narrow heads in front of attention, to the same answers, whatever the chunks', async () => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-narrow-'));
  const open = async (name: string, edit: (gguf: EditableGguf) => void) => {
    const file = await editGguf(SOURCE, join(root, `${name}.gguf`), edit);
    const { folder } = await importGguf({ file, folder: join(root, name) });
    const size = { slots: 2, slotTokens: 64, maxChunkTokens: 32 };
    return openModelRunner({ modelFile: join(folder, 'model.onnx'), ...size, threads: 1, binding: 'auto' });
  };
  const [small, large] = [await open('narrow', narrow), await open('wide', widened)];
  expect(small.shape).toMatchObject({ headSize: NARROW, kvHeads: 4 });
  expect(small.description.kvCache).toBe('in-place');
  const [found, expected] = [await generateAlone(small, PROMPT, 16, 32), await generateAlone(large, PROMPT, 16, 32)];
  expect(found.tokens).toEqual(expected.tokens);
  for (const [step, row] of expected.logits.entries())
    expect(largestDifference(found.logits[step]!, row)).toBeLessThan(1e-4);
  const whole = await prefillInChunks(small, 0, PROMPT, PROMPT.length);
  for (const chunk of [2, 7, 32])
    expect(differingValues(await prefillInChunks(small, 1, PROMPT, chunk), whole)).toBe(0);
  await small.close();
  await large.close();
  await rm(root, { recursive: true });
});

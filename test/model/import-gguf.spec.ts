import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine } from '#engine';
import { openModelRunner } from '#model-runner';
import { type ImportedModel, importGguf, openModelFolder } from '#models';
import { differingValues, logitsRow, prefillInChunks } from './runner-driver.ts';

interface Reference {
  readonly prompts: readonly {
    readonly promptIds: readonly number[];
    readonly generatedIds: readonly number[];
    readonly logits: Readonly<Record<string, readonly number[]>>;
  }[];
}

const SLOTS = 4;
/** Of logits whose weights or activations are in 8 bits; a wrong matrix, order or rotation gives about 1. */
const MOST_RELATIVE_ERROR = 0.06;
const fixture = (file: string) => fileURLToPath(new URL(`../fixtures/gguf/${file}`, import.meta.url));
const referenceOf = (name: string): Reference => JSON.parse(readFileSync(fixture(`${name}.json`), 'utf8'));
const openRunner = (modelFile: string) =>
  openModelRunner({ modelFile, slots: SLOTS, slotTokens: 256, threads: 1, binding: 'auto', maxChunkTokens: 32 });
const openInParts = (modelFile: string) =>
  openModelRunner({
    modelFile,
    slots: SLOTS,
    slotTokens: 256,
    threads: 1,
    binding: 'auto',
    maxChunkTokens: 32,
    prefillParts: 2,
  });

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-import-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** How far the logits are from the reference's when its own tokens are fed: root mean squares as a ratio, and the largest. */
async function logitsError(
  runner: ModelRunner,
  { prompts }: Reference,
): Promise<{ relative: number; largest: number }> {
  let [errors, squares, largest] = [0, 0, 0];
  for (const { promptIds, generatedIds, logits } of prompts) {
    let row = await prefillInChunks(runner, 0, promptIds, 32);
    for (let step = 0; step < 32; step++) {
      for (const [token, expected] of (logits[step] ?? []).entries()) {
        errors += (row[token]! - expected) ** 2;
        squares += expected ** 2;
        largest = Math.max(largest, Math.abs(row[token]! - expected));
      }
      await runner.decode(1, Int32Array.of(generatedIds[step]!), Int32Array.of(promptIds.length + step));
      row = logitsRow(runner);
    }
  }
  return { relative: Math.sqrt(errors / squares), largest };
}

async function greedyTokens(runner: ModelRunner, imported: ImportedModel, { prompts }: Reference): Promise<number[][]> {
  const folder = await openModelFolder(imported.folder);
  const engine = new Engine({ runner, tokenTable: folder.tokenTable(), prefillChunkTokens: 32 });
  const tokens: number[][] = prompts.map(() => []);
  engine.onStep(({ deltas }) => {
    for (const delta of deltas) tokens[Number(delta.requestId)]!.push(...delta.tokenIds);
  });
  for (const [index, { promptIds }] of prompts.entries())
    engine.submit({
      requestId: String(index),
      epoch: 1,
      promptTokenIds: Int32Array.from(promptIds),
      choices: 1,
      sampling: GREEDY,
      stop: { tokenIds: [], strings: [], maxTokens: 64 },
      topLogprobs: null,
    });
  await engine.runUntilIdle();
  return tokens;
}

describe.each([
  { name: 'llama-f16', what: 'permuted heads, Llama 3 rotary scaling' },
  { name: 'qwen2-f16', what: 'biases, tied embedding, YaRN' },
  { name: 'qwen3-bf16', what: 'norms of queries and keys, linear rotary scaling, mixed types' },
])('GGUF $name ($what), imported', ({ name }) => {
  it('gives through the engine the greedy tokens of transformers', async () => {
    const imported = await importGguf({ file: fixture(`${name}.gguf`), folder: join(root, name) });
    const reference = referenceOf(name);
    const runner = await openRunner(join(imported.folder, 'model.onnx'));
    expect(runner.description.kvCache).toBe('in-place');
    expect(await greedyTokens(runner, imported, reference)).toEqual(reference.prompts.map((p) => p.generatedIds));
    expect((await logitsError(runner, reference)).largest).toBeLessThan(1e-3);
    await runner.close();
  });

  it('stays near transformers when its weights are taken in 8 bits', async () => {
    const folder = join(root, `${name}-q8`);
    const imported = await importGguf({ file: fixture(`${name}.gguf`), folder, quantize: 'q8' });
    expect(imported.layouts.float32).toBeUndefined();
    const runner = await openRunner(join(folder, 'model.onnx'));
    expect((await logitsError(runner, referenceOf(name))).relative).toBeLessThan(MOST_RELATIVE_ERROR);
    await runner.close();
  });
});

describe.each([
  { name: 'llama-q4_1', layout: 'near' as const, layouts: { nb8: 6, nb4_sums: 2 } },
  { name: 'qwen2-q8_0', layout: 'near' as const, layouts: { 'nb8 symmetric': 9 } },
  { name: 'qwen3-q4_0', layout: 'near' as const, layouts: { nb4: 6, 'nb8 symmetric': 7 } },
  {
    name: 'llama-q4_1',
    layout: 'quick' as const,
    layouts: { 'nb8, wide for prompts': 2, rows: 4, 'nb4_sums, wide for prompts': 2, widest: 1 },
  },
  {
    name: 'qwen2-q8_0',
    layout: 'quick' as const,
    layouts: { 'nb8 symmetric, wide for prompts': 4, rows: 4, widest: 1 },
  },
  {
    name: 'qwen3-q4_0',
    layout: 'quick' as const,
    layouts: { 'nb4, wide for prompts': 4, 'nb8 symmetric, wide for prompts': 4, rows: 4, widest: 1 },
  },
])('GGUF $name, imported with its weights laid out $layout', ({ name, layout, layouts }) => {
  let runner: ModelRunner;
  let imported: ImportedModel;
  beforeAll(async () => {
    const folder = join(root, `${name}-${layout}`);
    imported = await importGguf({ file: fixture(`${name}.gguf`), folder, layout, pieceBytes: 20_000 });
    runner = await openRunner(join(imported.folder, 'model.onnx'));
  });
  afterAll(async () => runner?.close());

  it('stays near transformers on the dequantised weights; activations in 8 bits are the difference', async () => {
    expect(imported.layouts).toEqual(layouts);
    expect(runner.description.kvCache).toBe('in-place');
    expect((await logitsError(runner, referenceOf(name))).relative).toBeLessThan(MOST_RELATIVE_ERROR);
  });

  it('keeps the bits of a row in any batch and for any chunks', async () => {
    const prompt = referenceOf(name).prompts[3]!.promptIds.slice(0, 96); // 32 k + 1 would leave attention a query alone
    const whole = await prefillInChunks(runner, 0, prompt, prompt.length);
    for (const chunk of [2, 7, 16, 32, 33])
      expect(differingValues(await prefillInChunks(runner, 1, prompt, chunk), whole)).toBe(0);
    for (const [slot, length] of [5, 33, 20].entries())
      await prefillInChunks(runner, slot + 1, prompt.slice(0, length), 64);
    await runner.decode(1, Int32Array.of(7), Int32Array.of(prompt.length));
    const alone = logitsRow(runner);
    const parted = await openInParts(join(imported.folder, 'model.onnx'));
    expect(parted.description.fallbacks).toEqual([]);
    expect(differingValues(await prefillInChunks(parted, 0, prompt, 32), whole)).toBe(0);
    await parted.close();
    for (const rows of [2, 3, 4]) {
      await runner.decode(rows, Int32Array.of(7, 8, 9, 10), Int32Array.of(prompt.length, 5, 33, 20));
      expect(differingValues(logitsRow(runner), alone)).toBe(0);
    }
  });
});

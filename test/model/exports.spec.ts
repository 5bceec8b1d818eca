import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import onnxProto from 'onnx-proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { exportedModel, exportReference } from './exported-model.ts';
import { PlainRuns } from './plain-runs.ts';
import { differingValues, generateAlone, largestDifference, logitsRow, prefillInChunks } from './runner-driver.ts';

const SLOTS = 4;
const CHUNK_TOKENS = 32;
const STEPS = 32;
const SMALL = { slots: 1, slotTokens: 64, threads: 1, binding: 'auto', maxChunkTokens: CHUNK_TOKENS } as const;
/** Positions in the shorter one of phi4-mini's rotary tables. */
const SHORT_TABLE = 64;
/**
 * Of logits with a standard deviation near 3: sums in another order; the builder's Gemma, which rounds the embedding's scale to
 * two decimals; half precision; a value that falls on the other side when it is rounded to 8 bits; half precision and that; one
 * scale of 8 bits for a step; experts, like `exact`; experts of 4 bits, like `rounded`.
 */
const TOLERANCE = {
  exact: 1e-3,
  gemma: 1e-2,
  half: 0.15,
  rounded: 0.25,
  coarse: 1.5,
  shared: 1.5,
  experts: 1e-3,
  roundedExperts: 0.25,
};
type Precision = keyof typeof TOLERANCE;
/** Their greedy tokens are those of transformers. */
const MATCHING: readonly Precision[] = ['exact', 'gemma', 'half', 'rounded', 'experts', 'roundedExperts'];
/** Plain runs without a cache would take other scales, or round other values of half precision. */
const CACHED: readonly Precision[] = ['coarse', 'shared'];
/** How their prompts are cut changes their bits; with fp16 in standard operators too. */
const CUT_MATTERS: readonly Precision[] = ['shared', 'experts', 'roundedExperts'];
/** Lengths of the prompts that plain runs answer too. */
const PLAIN_LENGTHS = [1, 17, 31, 66];
/** Activations beside quantized weights are rounded as x64's kernels do it; others take longer blocks. */
const ROUNDS_IN_BLOCKS = process.arch === 'x64';

type Export = readonly [
  path: string,
  reference: string,
  kvCache: 'in-place' | 'copying',
  precision: Precision,
  positions?: number,
];

const EXPORTS: readonly Export[] = [
  ['llama-builder-fp32', 'llama', 'in-place', 'exact'],
  ['llama-builder-fp16', 'llama', 'in-place', 'half'],
  ['llama-builder-fp16-dml', 'llama', 'in-place', 'half'],
  ['llama-builder-int4', 'llama.rounded', 'in-place', 'rounded'],
  ['llama-builder-int8', 'llama.rounded', 'in-place', 'rounded'],
  ['llama-builder-int4-fp16', 'llama', 'in-place', 'coarse'],
  ['smollm2-builder-fp32', 'smollm2', 'in-place', 'exact'],
  ['mistral-builder-int4', 'mistral.rounded', 'in-place', 'rounded'],
  ['mistral-window-builder-fp32', 'mistral-window', 'in-place', 'exact'],
  ['qwen2-builder-int4', 'qwen2.rounded', 'in-place', 'rounded'],
  ['qwen2.5-builder-int8', 'qwen2.5.rounded', 'in-place', 'rounded'],
  ['qwen3-builder-fp32', 'qwen3', 'in-place', 'exact'],
  ['phi3-builder-fp32', 'phi3', 'in-place', 'exact'],
  ['phi4-builder-int4', 'phi4.rounded', 'in-place', 'rounded'],
  ['phi4-mini-builder-int4', 'phi4-mini.rounded', 'in-place', 'rounded', SHORT_TABLE],
  ['gemma-builder-fp32', 'gemma', 'in-place', 'gemma'],
  ['gemma2-builder-fp32', 'gemma2', 'in-place', 'gemma'],
  ['gemma2-builder-ring', 'gemma2.rounded', 'in-place', 'rounded'],
  ['gemma3-builder-fp32', 'gemma3', 'in-place', 'gemma'],
  ['gemma3-builder-int4', 'gemma3.rounded', 'in-place', 'rounded'],
  ['gpt-oss-builder-fp32', 'gpt-oss', 'in-place', 'experts'],
  ['gpt-oss-builder-int4', 'gpt-oss.rounded', 'in-place', 'roundedExperts'],
  ['lfm2-builder-fp32', 'lfm2', 'in-place', 'exact'],
  ['lfm2-builder-int4', 'lfm2.rounded', 'in-place', 'rounded'],
  ['lfm2-community', 'lfm2.rounded', 'in-place', 'rounded'],
  ['qwen3.5-builder-fp32', 'qwen3.5', 'in-place', 'exact'],
  ['qwen3.5-builder-int4', 'qwen3.5.rounded', 'in-place', 'rounded'],
  ['smollm2-merged', 'smollm2', 'copying', 'exact'],
  ['smollm3-optimum', 'smollm3', 'copying', 'exact'],
  ['llama-community/onnx/model_fp16.onnx', 'llama', 'copying', 'half'],
  ['llama-community/onnx/model_q4.onnx', 'llama.rounded', 'copying', 'rounded'],
  ['llama-community/onnx/model_q4f16.onnx', 'llama', 'copying', 'coarse'],
  ['llama-community/onnx/model_quantized.onnx', 'llama', 'copying', 'shared'],
  ['qwen3-community', 'qwen3.rounded', 'copying', 'rounded'],
  ['llama-genai-multimodal', 'llama.rounded', 'in-place', 'rounded'],
  ['qwen3-community-vl', 'qwen3.rounded', 'copying', 'rounded'],
  ['gemma3-community-3n', 'gemma3', 'in-place', 'gemma'],
];

/** What cannot be served, and what the user is told. */
const REFUSED: readonly (readonly [path: string, message: RegExp])[] = [
  ['qwen3-builder-int4-fp16', /q_norm_weight.*only on the CUDA and WebGPU/],
  ['llama-builder-fp16-cpu', /cannot go on from its own cache.*GroupQueryAttention/],
];

for (const [path, referenceName, kvCache, precision, positions] of EXPORTS)
  describe(`the export ${path}`, () => {
    const asTheReference = !precision.startsWith('rounded') || ROUNDS_IN_BLOCKS;
    const matches = MATCHING.includes(precision) && asTheReference;
    const reference = exportReference(referenceName);
    let runner: ModelRunner;
    let prompts: typeof reference.prompts;

    beforeAll(async () => {
      const { modelFile, embeddingFile, config } = await openModelFolder(exportedModel(path));
      expect(config.vocabularySize).toBe(reference.vocabularySize);
      runner = await openModelRunner({
        modelFile,
        embeddingFile,
        slots: SLOTS,
        slotTokens: positions ?? 128,
        threads: 1,
        binding: 'auto',
        maxChunkTokens: CHUNK_TOKENS,
      });
      prompts = reference.prompts.filter(({ promptIds }) => promptIds.length + STEPS <= runner.slotTokens);
    });
    afterAll(async () => {
      await runner?.close();
    });

    it('is run as it should be', () => {
      expect(runner.description).toMatchObject({ kvCache, binding: 'c-api' });
      expect(runner.description.fallbacks).toEqual([]);
      expect(prompts.length).toBeGreaterThanOrEqual(3);
    });

    it('gives the logits and greedy tokens of transformers', async () => {
      const differences: number[] = [];
      // Also of prompts behind which there is no place for all their tokens.
      for (const { promptIds, generatedIds, logits } of reference.prompts) {
        for (const { generatedIndex, values } of logits) {
          const before = [...promptIds, ...generatedIds.slice(0, generatedIndex)];
          if (before.length > runner.slotTokens) continue;
          differences.push(largestDifference(await prefillInChunks(runner, 0, before, CHUNK_TOKENS), values));
        }
      }
      expect(differences).not.toEqual([]);
      expect(Math.max(...differences)).toBeLessThanOrEqual(TOLERANCE[asTheReference ? precision : 'coarse']);
      for (const { promptIds, generatedIds } of prompts) {
        const { tokens } = await generateAlone(runner, promptIds, STEPS, CHUNK_TOKENS);
        if (matches) expect(tokens).toEqual(generatedIds);
      }
    });

    it('gives the greedy tokens of plain runs', async () => {
      const { modelFile, embeddingFile } = await openModelFolder(exportedModel(path));
      const plain = await PlainRuns.open(modelFile, embeddingFile);
      for (const { promptIds } of prompts) {
        if (!PLAIN_LENGTHS.includes(promptIds.length)) continue;
        const chunkTokens = CACHED.includes(precision) ? promptIds.length : CHUNK_TOKENS;
        const { tokens } = await generateAlone(runner, promptIds, STEPS, chunkTokens);
        const run = CACHED.includes(precision) ? plain.withCache : plain.withoutCache;
        expect(tokens).toEqual(await run.call(plain, promptIds, STEPS));
      }
      await plain.close();
    });

    it('gives an engine the same answers alone and in ragged batches', async () => {
      const alone = [];
      for (const { promptIds } of prompts) alone.push((await answers(runner, [promptIds]))[0]);
      expect(
        await answers(
          runner,
          prompts.map(({ promptIds }) => promptIds),
        ),
      ).toEqual(alone);
      if (matches) expect(alone).toEqual(prompts.map(({ generatedIds }) => generatedIds));
    });

    const cutMatters =
      CUT_MATTERS.includes(precision) || (kvCache === 'copying' && (precision === 'half' || precision === 'coarse'));
    const cut = cutMatters
      ? 'gives a prompt the same bits every time'
      : 'gives a prompt the same bits however it is cut';
    it(cut, async () => {
      const prompt = prompts.at(-1)!.promptIds;
      const whole = await prefillInChunks(runner, 0, prompt, prompt.length);
      for (const chunks of cutMatters ? [prompt.length] : [[2], [20, 10], 16, 7])
        expect(differingValues(await prefillInChunks(runner, 2, prompt, chunks), whole)).toBe(0);
    });
  });

describe('a graph that is changed as it is loaded', () => {
  it('is loaded with its external data through the JS API too', async () => {
    const { modelFile } = await openModelFolder(exportedModel('gemma2-builder-ring'));
    const { promptIds } = exportReference('gemma2').prompts.at(-1)!;
    const logits = [];
    for (const binding of ['c-api', 'js-api'] as const) {
      const settings = { modelFile, slots: 1, slotTokens: 128, threads: 1, maxChunkTokens: CHUNK_TOKENS };
      // The JS API has ONNX Runtime's own kernels only.
      const runner = await openModelRunner({ ...settings, binding, products: 'onnxruntime' });
      logits.push(await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS));
      await runner.close();
    }
    expect(differingValues(logits[0]!, logits[1]!)).toBe(0);
  });
});

describe('an export in two graphs', () => {
  const open = async (path: string, binding: 'auto' | 'js-api' = 'auto') => {
    const { modelFile, embeddingFile } = await openModelFolder(exportedModel(path));
    const size = { slots: 2, slotTokens: 128, threads: 1, maxChunkTokens: CHUNK_TOKENS };
    return openModelRunner({ modelFile, embeddingFile, ...size, binding });
  };

  it.each([
    ['llama-genai-multimodal', 'llama-builder-int4', 'llama'],
    ['qwen3-community-vl', 'qwen3-community', 'qwen3'],
    ['gemma3-community-3n', 'gemma3-builder-fp32', 'gemma3'],
  ])('%s has the bits of %s, which it was cut from', async (cut, whole, reference) => {
    const { promptIds, generatedIds } = exportReference(reference).prompts.at(-1)!;
    const computed = async (path: string) => {
      const runner = await open(path);
      const { fallbacks, ownProducts } = runner.description;
      expect(fallbacks).toEqual([]);
      const prompt = await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS);
      await runner.decode(1, Int32Array.of(generatedIds[0]!), Int32Array.of(promptIds.length));
      const decoded = logitsRow(runner);
      await runner.close();
      return { prompt, decoded, ownProducts };
    };
    const [ofCut, ofWhole] = [await computed(cut), await computed(whole)];
    expect(differingValues(ofCut.prompt, ofWhole.prompt)).toBe(0);
    expect(differingValues(ofCut.decoded, ofWhole.decoded)).toBe(0);
    expect(ofCut.ownProducts).toBe(ofWhole.ownProducts);
  });

  it('is loaded with the weights of both files through the JS API too', async () => {
    const { promptIds, logits } = exportReference('gemma3').prompts.at(-1)!;
    const runner = await open('gemma3-community-3n', 'js-api');
    const computed = await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS);
    expect(largestDifference(computed, logits.find(({ generatedIndex }) => generatedIndex === 0)!.values)).toBeLessThan(
      TOLERANCE.gemma,
    );
    await runner.close();
  });

  it('is loaded from a folder of links, as a cache of downloads has it', async () => {
    const { modelFile, embeddingFile } = await openModelFolder(exportedModel('gemma3-community-3n'));
    const root = await mkdtemp(join(tmpdir(), 'millrace-links-'));
    await mkdir(join(root, 'blobs'));
    await mkdir(join(root, 'snapshot'));
    const names = [modelFile, embeddingFile!, `${embeddingFile}_data`].map((file) => basename(file));
    for (const [i, name] of names.entries()) {
      await cp(join(dirname(modelFile), name), join(root, `blobs/${i}`));
      await symlink(`../blobs/${i}`, join(root, 'snapshot', name));
    }
    await cp(join(dirname(modelFile), '../config.json'), join(root, 'snapshot/config.json'));
    const linked = { modelFile: join(root, 'snapshot', names[0]!), embeddingFile: join(root, 'snapshot', names[1]!) };
    const { promptIds } = exportReference('gemma3').prompts.at(-1)!;
    const logits = [];
    for (const files of [linked, { modelFile, embeddingFile }]) {
      const runner = await openModelRunner({ ...SMALL, ...files, slotTokens: 128 });
      logits.push(await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS));
      await runner.close();
    }
    expect(differingValues(logits[0]!, logits[1]!)).toBe(0);
    await rm(root, { recursive: true });
  });

  it('is refused without its embedding, with what to copy', async () => {
    const { modelFile } = await openModelFolder(exportedModel('qwen3-community-vl'));
    await expect(openModelRunner({ ...SMALL, modelFile })).rejects.toThrow(
      /decoder_model_merged_q4\.onnx: it has an input "inputs_embeds" and no "input_ids".*embed_tokens\.onnx.*copy it/,
    );
  });
});

it('changes a graph whose file is large because its weights are inside, as any other', async () => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-large-'));
  const { modelFile } = await openModelFolder(exportedModel('llama-community/onnx/model_q4.onnx'));
  const large = join(root, 'model_q4.onnx');
  const model = onnxProto.onnx.ModelProto.decode(await readFile(modelFile));
  const [first] = model.graph?.initializer ?? [];
  model.graph?.initializer?.unshift({
    ...first,
    name: 'unread',
    dims: [1 << 26],
    dataType: 2,
    rawData: Buffer.alloc(1 << 26),
  });
  await writeFile(large, onnxProto.onnx.ModelProto.encode(model).finish());
  const { promptIds } = exportReference('llama').prompts.at(-1)!;
  const computed = [];
  for (const file of [modelFile, large]) {
    const runner = await openModelRunner({ ...SMALL, modelFile: file, slotTokens: 128 });
    computed.push({
      logits: await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS),
      ownProducts: runner.description.ownProducts,
    });
    await runner.close();
  }
  expect(computed[0]?.ownProducts).toBeGreaterThan(0);
  expect(computed[1]?.ownProducts).toBe(computed[0]?.ownProducts);
  expect(differingValues(computed[0]!.logits, computed[1]!.logits)).toBe(0);
  await rm(root, { recursive: true });
});

describe('an export with two rotary tables', () => {
  it('takes the longer one for all rows where slots are longer than the shorter one', async () => {
    const { modelFile } = await openModelFolder(exportedModel('phi4-mini-builder-int4'));
    const runner = await openModelRunner({
      modelFile,
      slots: SLOTS,
      slotTokens: 128,
      threads: 1,
      binding: 'auto',
      maxChunkTokens: CHUNK_TOKENS,
    });
    expect(runner.shape.maxPositions).toBe(256);
    const long = exportReference('phi4-mini.rounded').prompts.filter(({ promptIds }) => promptIds.length > SHORT_TABLE);
    for (const { promptIds, generatedIds, logits } of long) {
      const computed = await prefillInChunks(runner, 0, promptIds, CHUNK_TOKENS);
      const tolerance = TOLERANCE[ROUNDS_IN_BLOCKS ? 'rounded' : 'coarse'];
      for (const { values, generatedIndex } of logits)
        if (generatedIndex === 0) expect(largestDifference(computed, values)).toBeLessThan(tolerance);
      const { tokens } = await generateAlone(runner, promptIds, STEPS, CHUNK_TOKENS);
      if (ROUNDS_IN_BLOCKS) expect(tokens).toEqual(generatedIds);
    }
    const [, ...inBatch] = await answers(runner, [[1, 2, 3], ...long.map(({ promptIds }) => promptIds)]);
    if (ROUNDS_IN_BLOCKS) expect(inBatch).toEqual(long.map(({ generatedIds }) => generatedIds));
    await runner.close();
  });
});

describe('what cannot be served', () => {
  it.each(REFUSED)('refuses %s and says why', async (path, message) => {
    const { modelFile } = await openModelFolder(exportedModel(path));
    await expect(openModelRunner({ ...SMALL, modelFile })).rejects.toThrow(message);
  });

  it('refuses a folder of several variants with their names, and takes the one that is named', async () => {
    await expect(openModelFolder(exportedModel('llama-community'))).rejects.toThrow(
      /onnx\/model_fp16.onnx, onnx\/model_q4.onnx, .*name one of them: .*llama-community\/onnx\/model_fp16.onnx/,
    );
    expect((await openModelFolder(exportedModel('llama-community/onnx/model_q4.onnx'))).name).toBe('llama-community');
  });
});

/** Greedy answers of one engine that has all the prompts at once. */
async function answers(runner: ModelRunner, promptIds: readonly (readonly number[])[]): Promise<number[][]> {
  const engine = new Engine({
    runner,
    tokenTable: numberedTokenTable(runner.shape.vocabularySize),
    prefillChunkTokens: CHUNK_TOKENS,
  });
  const tokens = new Map<string, number[]>();
  const failures: string[] = [];
  engine.onStep(({ deltas, failed }) => {
    for (const { requestId, tokenIds } of deltas)
      tokens.set(requestId, [...(tokens.get(requestId) ?? []), ...tokenIds]);
    for (const { message } of failed) failures.push(message);
  });
  promptIds.forEach((prompt, index) => {
    const request: EngineRequest = {
      requestId: `p${index}`,
      epoch: 1,
      promptTokenIds: Int32Array.from(prompt),
      choices: 1,
      sampling: GREEDY,
      stop: { tokenIds: [], strings: [], maxTokens: STEPS },
      topLogprobs: null,
    };
    engine.submit(request);
  });
  await engine.runUntilIdle();
  expect(failures).toEqual([]);
  return promptIds.map((_, index) => tokens.get(`p${index}`) ?? []);
}

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CpuChoices } from '#contracts';
import { inspectionText } from './inspect-command.ts';
import { inspectFolder } from './inspect-folder.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../../../test/fixtures/models/${name}`, import.meta.url));
const OPTIONS = { slots: 4, slotTokens: 256, load: true };

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-inspect-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('inspectFolder', () => {
  it('tells what a GroupQueryAttention export is, and that its cache stays in place', async () => {
    const inspection = await inspectFolder(fixture('tiny-llama'), OPTIONS);
    expect(inspection).toMatchObject({
      architecture: 'llama',
      contextLength: 512,
      vocabularySize: 384,
      heads: 4,
      hidden: 64,
      decoder: { layers: 2, kvHeads: 2, headSize: 16, attention: 'GroupQueryAttention', logits: 'last position' },
      tokenizer: { kind: 'byte-level BPE', controlTokens: 3 },
      eosTokens: [{ id: 2, text: '<|im_end|>' }],
      path: { kvCache: 'in-place', provider: 'cpu', ownProducts: 0 },
      memory: { slots: 4, slotTokens: 256, kvBytes: 2 * 2 * 2 * 16 * 4 * 4 * 256 },
      problems: [],
    });
    expect(inspection.decoder?.changes).toEqual([
      "rows' lengths are inputs in the place of a mask",
      "behind the last attention a prompt's last position only is computed",
    ]);
    expect(inspectionText(inspection)).toMatch(/KV cache +in-place: every layer.*\n(.*\n)*A worker can serve it\.$/);
  });

  it('says what requests get that do not say how to sample', async () => {
    await cp(fixture('tiny-llama'), root, { recursive: true });
    const shown = async () => {
      const text = inspectionText(await inspectFolder(root, { ...OPTIONS, load: false }));
      return /^sampling +(.*)$/m.exec(text)?.[1];
    };
    expect(await shown()).toBe('generation_config.json recommends nothing');
    await writeFile(join(root, 'generation_config.json'), '{"temperature": 0.6, "top_k": 20}');
    expect(await shown()).toBe('temperature 0.6, topK 20 where a request does not say');
  });

  it('tells what keys and values are kept as, and who computes, with the settings of a worker', async () => {
    const folder = fixture('../exports/llama-builder-int4');
    const told = async (cpu: CpuChoices, load = true) => {
      const inspection = await inspectFolder(folder, { ...OPTIONS, load, cpu });
      const { decoder, path, problems } = inspection;
      const text = inspectionText(inspection);
      const line = (name: string) => new RegExp(`^${name} +(.*)$`, 'm').exec(text)?.[1];
      return { ...{ decoder, path, problems }, kept: line('KV values'), attention: line('attention') };
    };
    const layers = 2;
    const heads = 2 * layers * 2;
    const plain = await told({ products: 'auto', kvType: 'auto' });
    expect(plain.decoder).toMatchObject({
      layers,
      kvHeads: 2,
      headSize: 16,
      kvType: 'float32',
      tokenBytes: heads * 64,
    });
    expect(plain.kept).toBe(`float32, ${heads * 64} bytes for a token`);
    expect(plain.attention).toMatch(/^2 by our own library/);
    const quanta = await told({ products: 'auto', kvType: 'int8' });
    expect(quanta.kept).toBe(
      `int8 on the CPU (MILLRACE_KV_TYPE), in the graph float32, ${heads * 20} bytes for a token`,
    );
    expect(quanta).toMatchObject({ problems: [], path: { ownAttention: 2 } });
    const others = await told({ products: 'onnxruntime', kvType: 'auto' });
    expect(others.path).toMatchObject({ ownProducts: 0, ownAttention: 0, runInvariant: false });
    expect(others.attention).toBe("ONNX Runtime's");
    for (const load of [true, false]) {
      const refused = await told({ products: 'onnxruntime', kvType: 'int8' }, load);
      expect(refused.problems.map(({ problem }) => problem).join()).toMatch(/asked for as int8 \(MILLRACE_KV_TYPE\)/);
    }
  });

  it('tells what states layers keep beside keys and values, and what is not done with them', async () => {
    const folder = fileURLToPath(new URL('../../../../test/fixtures/exports/lfm2-community', import.meta.url));
    const inspection = await inspectFolder(folder, OPTIONS);
    // Of three layers and 32 channels three values each; of 4 slots twice, and once between the runs of a chunk.
    const states = {
      count: 3,
      bytes: 1152,
      inputs: ['past_conv.0 [32, 3]', 'past_conv.2 [32, 3]', 'past_conv.4 [32, 3]'],
    };
    expect(inspection).toMatchObject({ architecture: 'lfm2', decoder: { layers: 2, states }, problems: [] });
    expect(inspection.memory?.stateBytes).toBe(9 * 1152);
    expect(inspectionText(inspection)).toMatch(
      /^states +3 of a fixed size, 1152 bytes for a sequence: past_conv\.0 \[32, 3\]….*kept for later prompts where chunks.*\n(.*\n)*memory .* and .* of states at 4 slots/m,
    );
  });

  it('says where states are too large to be kept for later prompts', async () => {
    const folder = fileURLToPath(new URL('../../../../test/fixtures/exports/qwen3.5-builder-int4', import.meta.url));
    const inspection = await inspectFolder(folder, OPTIONS);
    expect(inspection).toMatchObject({ decoder: { layers: 1, states: { inPrefixCache: false } }, problems: [] });
    const text = inspectionText(inspection);
    expect(text).toMatch(/^decoder +1 layers with keys and values of /m);
    expect(text).toMatch(/^states .*too large to be kept for later prompts \(no prefix cache\)/m);
    expect(text).not.toMatch(/answers are kept|answers are computed again/);
  });

  it('tells of an export in two graphs which one makes embeddings of tokens, and what its text part is', async () => {
    const folder = fileURLToPath(new URL('../../../../test/fixtures/exports/qwen3-community-vl', import.meta.url));
    const inspection = await inspectFolder(folder, { ...OPTIONS, load: false });
    expect(inspection).toMatchObject({
      architecture: 'qwen3_vl',
      heads: 4,
      hidden: 32,
      contextLength: 256,
      problems: [],
    });
    expect(inspection.decoder?.embeddingFile).toBe(join(folder, 'onnx/embed_tokens_fp16.onnx'));
    expect(inspection.decoder?.inputs).toEqual(['input_ids', 'attention_mask', 'position_ids']);
    expect(inspectionText(inspection)).toMatch(
      /changed as it is loaded: tokens become embeddings by embed_tokens_fp16\.onnx, the other graph of the export; positions stand in 3 rows/,
    );
  });

  it.each(['llm_config', 'language_config'])(
    'tells the size of the text part under %s, as the loader has it',
    async (name) => {
      const exported = fileURLToPath(new URL('../../../../test/fixtures/exports/qwen3-community-vl', import.meta.url));
      await cp(exported, root, { recursive: true });
      const { text_config: text, ...config } = JSON.parse(await readFile(join(root, 'config.json'), 'utf8'));
      await writeFile(join(root, 'config.json'), JSON.stringify({ ...config, [name]: text }));
      const inspection = await inspectFolder(root, { ...OPTIONS, load: false });
      expect(inspection).toMatchObject({ heads: 4, hidden: 32, contextLength: 256, problems: [] });
    },
  );

  it('says why a plain export needs the copying cache', async () => {
    const { path, decoder, problems } = await inspectFolder(fixture('tiny-mha'), OPTIONS);
    expect(decoder?.inputs).toContain('position_ids');
    expect(path).toMatchObject({ kvCache: 'copying', reasons: [expect.stringMatching(/not every layer is/)] });
    expect(problems).toEqual([]);
  });

  it('says whether decode runs can be captured as CUDA graphs, and what keeps them from it', async () => {
    const captureOf = async (name: string, slotTokens = 256) => {
      const inspection = await inspectFolder(fixture(name), { ...OPTIONS, slotTokens, load: false });
      const shown = /^CUDA graphs +(.*)$/m.exec(inspectionText(inspection))?.[1];
      return { problem: inspection.decoder?.captureProblem, shown };
    };
    const half = await captureOf('../exports/llama-builder-fp16-dml');
    expect(half).toEqual({
      problem: null,
      shown: expect.stringMatching(/^decode runs can be captured .*the start says why/),
    });
    expect((await captureOf('tiny-llama')).shown).toMatch(/could be captured .*in half precision only/);
    const copied = await captureOf('tiny-mha');
    expect(copied.problem).toMatch(/its cache grows.*export it with GroupQueryAttention/);
    expect(copied.shown).toBe(`decode runs can not be captured: ${copied.problem}`);
    expect((await captureOf('../exports/gpt-oss-builder-int4')).problem).toMatch(/need a run for each row/);
    expect((await captureOf('tiny-llama', 1)).problem).toMatch(/no room for a second token/);
  });

  it('lists every problem of a broken folder and still tells what the model file says', async () => {
    await cp(fixture('tiny-llama'), root, { recursive: true });
    await rm(join(root, 'tokenizer.json'));
    await writeFile(join(root, 'config.json'), '{');
    const inspection = await inspectFolder(root, { ...OPTIONS, slotTokens: 4096 });
    expect(inspection.decoder?.layers).toBe(2);
    expect(inspection.problems.map(({ file }) => file)).toEqual(['config.json', 'tokenizer.json']);
    expect(inspection.memory?.slotTokens).toBe(512);
    expect(inspectionText(inspection)).toMatch(/cannot serve it as it is:\n {2}- config\.json: it is not JSON/);
  });

  it('names what is wrong with a model file that is none', async () => {
    await cp(fixture('tiny-llama'), root, { recursive: true });
    await writeFile(join(root, 'model.onnx'), 'version https://git-lfs.github.com/spec/v1');
    const { problems, decoder, path } = await inspectFolder(root, OPTIONS);
    expect(decoder).toBeNull();
    expect(path).toBeNull();
    expect(problems.map(({ problem }) => problem).join()).toMatch(/not a whole ONNX/);
  });

  it('tells which file of several is meant, and what windows and activations of 8 bits mean', async () => {
    const shared = await inspectFolder(fixture('../exports/llama-community/onnx/model_quantized.onnx'), OPTIONS);
    expect(shared).toMatchObject({ name: 'llama-community', problems: [], path: { kvCache: 'copying' } });
    expect(shared.path?.reasons.join()).toMatch(/one scale for a whole step.*run of its own/);
    const half = await inspectFolder(fixture('../exports/llama-community/onnx/model_fp16.onnx'), OPTIONS);
    expect(half.memory?.kvBytes).toBe((shared.memory?.kvBytes ?? 0) / 2);
    const gemma = await inspectFolder(fixture('../exports/gemma2-builder-fp32'), OPTIONS);
    expect(inspectionText(gemma)).toMatch(/some layers see 24 tokens back/);
    const ring = await inspectFolder(fixture('../exports/gemma2-builder-ring'), OPTIONS);
    expect(ring).toMatchObject({ problems: [], path: { kvCache: 'in-place' } });
    expect(inspectionText(ring)).toMatch(/changed as it is loaded: .*keep their whole past instead of a ring/);
    const windowed = await inspectFolder(fixture('../exports/mistral-window-builder-fp32'), OPTIONS);
    expect(inspectionText(windowed)).toMatch(/a window of 24 tokens is put into attention/);
    const twoTables = await inspectFolder(fixture('../exports/phi4-mini-builder-int4'), OPTIONS);
    expect(inspectionText(twoTables)).toMatch(
      /context +64 tokens; with longer slots 256, all with the longer .*rotary/,
    );
  });
});

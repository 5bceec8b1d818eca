import { cp, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnx from 'onnx-proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCard, packCard } from '#contracts';
import { openModelFolder } from './model-folder.ts';
import { ModelFolderError } from './model-folder-error.ts';
import { withToolTemplate } from './named-templates.ts';
import { resolveModelFolder } from './resolve-model-folder.ts';

const TINY = new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname;
let root: string;
let path: string;

/** A model whose weights lie in two files, one of them named inside a constant of a subgraph. */
function modelWithWeights(locations: [string, string]): Uint8Array {
  const tensor = (location: string, offset: number, length: number) =>
    onnx.onnx.TensorProto.create({
      name: location,
      dataType: 1,
      dataLocation: onnx.onnx.TensorProto.DataLocation.EXTERNAL,
      externalData: [
        { key: 'location', value: location },
        { key: 'offset', value: String(offset) },
        { key: 'length', value: String(length) },
      ],
    });
  const inner = { node: [{ attribute: [{ name: 'value', t: tensor(locations[1], 0, 10) }] }] };
  return onnx.onnx.ModelProto.encode({
    irVersion: 8,
    graph: {
      initializer: [
        { name: 'inside', rawData: new Uint8Array(300_000).fill(0x6a) },
        tensor(locations[0], 0, 100),
        tensor(locations[0], 4096, 100),
      ],
      node: [{ opType: 'If', attribute: [{ name: 'then_branch', g: inner }] }],
    },
  }).finish();
}

async function problems(): Promise<readonly string[]> {
  const error = await openModelFolder(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ModelFolderError);
  return (error as ModelFolderError).problems.map(({ file, problem }) => `${file}: ${problem}`);
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-models-'));
  path = join(root, 'tiny');
  await cp(TINY, path, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

describe('openModelFolder', () => {
  it('gives a valid card whose hash depends on the contents alone', async () => {
    const [here, copy] = [await openModelFolder(TINY), await openModelFolder(path)];
    const card = here.card({ model: 'tiny', contextLength: 512 });
    expect(ModelCard.parse(card)).toEqual(card);
    const { hash } = await packCard(card);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect((await packCard(copy.card({ contextLength: 512, model: 'tiny' }))).hash).toBe(hash);
    expect((await packCard(copy.card({ contextLength: 511, model: 'tiny' }))).hash).not.toBe(hash);
    expect(copy.name).toBe('tiny');
    expect(copy.config).toEqual({ modelType: 'llama', vocabularySize: 384, maxPositions: 512 });
  });

  it('knows the end-of-turn token from the template alone', async () => {
    await rm(join(path, 'generation_config.json'));
    const configured = (await openModelFolder(TINY)).eosTokenIds;
    const config = { model_type: 'llama', vocab_size: 384 };
    await writeFile(join(path, 'config.json'), JSON.stringify(config));
    await writeFile(join(path, 'tokenizer_config.json'), '{}');
    const { eosTokenIds } = await openModelFolder(path);
    expect(eosTokenIds).toHaveLength(1);
    expect(configured).toContain(eosTokenIds[0]);
  });

  it('lists everything that is missing at once', async () => {
    for (const file of ['model.onnx', 'tokenizer.json', 'config.json', 'chat_template.jinja']) {
      await rm(join(path, file));
    }
    await writeFile(join(path, 'tokenizer_config.json'), '{');
    expect((await problems()).map((text) => text.replace(/\(.*\)/, '()'))).toEqual([
      'config.json: it is missing',
      'tokenizer_config.json: it is not JSON ()',
      'tokenizer.json: it is missing',
      'model.onnx: it is missing',
      'chat_template.jinja: it is missing, and tokenizer_config.json has no chat_template',
    ]);
  });

  it('names missing and short pieces of the weights with the bytes that belong there', async () => {
    await writeFile(join(path, 'model.onnx'), modelWithWeights(['weights.0', 'weights.1']));
    await writeFile(join(path, 'weights.0'), new Uint8Array(4100));
    expect(await problems()).toEqual([
      'weights.0: it has 4100 bytes, but model.onnx reads 4196 bytes of weights from it',
      'weights.1: it is missing; model.onnx reads 10 bytes of weights from it',
    ]);
    await writeFile(join(path, 'weights.0'), new Uint8Array(4196));
    await writeFile(join(path, 'weights.1'), new Uint8Array(10));
    expect((await openModelFolder(path)).modelFile).toBe(join(path, 'model.onnx'));
  });

  it('refuses weights outside the folder and a model file that was cut off', async () => {
    await writeFile(join(path, 'model.onnx'), modelWithWeights(['../../secret', '/etc/passwd']));
    expect(await problems()).toEqual([
      'model.onnx: it names weights outside the folder: ../../secret',
      'model.onnx: it names weights outside the folder: /etc/passwd',
    ]);
    await truncate(join(path, 'model.onnx'), 200_000);
    expect((await problems())[0]).toMatch(/model\.onnx: it is not a whole ONNX model/);
  });

  it('takes the chat template from tokenizer_config.json, as text or as a list of named ones', async () => {
    await rm(join(path, 'chat_template.jinja'));
    const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
    for (const chat_template of [
      template,
      [
        { name: 'rag', template: 'x' },
        { name: 'default', template },
      ],
    ]) {
      await writeFile(
        join(path, 'tokenizer_config.json'),
        JSON.stringify({ chat_template, eos_token: { content: '<|im_end|>' } }),
      );
      const card = (await openModelFolder(path)).card({ model: 'tiny', contextLength: 512 });
      expect(card.chatTemplate).toBe(template);
      expect(card.templateTokens).toEqual({ eos_token: '<|im_end|>' });
    }
  });

  it('gives requests with tools the template that a folder has for them', async () => {
    const [plain, forTools] = [
      '{% for m in messages %}{{ m.content }}{% endfor %}',
      '{{ tools | tojson }}{{ messages }}',
    ];
    const both = withToolTemplate(plain, forTools);
    const chatTemplate = async () =>
      (await openModelFolder(path)).card({ model: 'tiny', contextLength: 512 }).chatTemplate;
    await writeFile(join(path, 'chat_template.jinja'), plain);
    await mkdir(join(path, 'additional_chat_templates'));
    await writeFile(join(path, 'additional_chat_templates/tool_use.jinja'), forTools);
    expect(await chatTemplate()).toBe(both);
    await rm(join(path, 'chat_template.jinja'));
    const chat_template = Object.entries({ default: plain, tool_use: forTools }).map(([name, template]) => ({
      name,
      template,
    }));
    await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify({ chat_template }));
    expect(await chatTemplate()).toBe(both);
  });

  it('takes null as nothing said, as exporters write it', async () => {
    const nothing = { model_type: null, max_position_embeddings: null, text_config: null, eos_token_id: null };
    await writeFile(join(path, 'config.json'), JSON.stringify({ vocab_size: 384, ...nothing }));
    const model = {
      type: 'llama',
      context_length: 256,
      vocab_size: null,
      eos_token_id: null,
      decoder: { filename: null },
    };
    await writeFile(join(path, 'genai_config.json'), JSON.stringify({ model }));
    expect((await openModelFolder(path)).config).toEqual({
      modelType: 'llama',
      vocabularySize: 384,
      maxPositions: 256,
    });
  });

  it('refuses end tokens that no logit can be of', async () => {
    await writeFile(join(path, 'generation_config.json'), '{"eos_token_id": [2, 151645]}');
    expect(await problems()).toEqual([
      'generation_config.json: field eos_token_id has 151645, but the vocabulary has 384 tokens',
    ]);
  });

  it('recommends how to sample as generation_config.json does, unless nobody wants to hear of it', async () => {
    const plain = (await openModelFolder(path)).card({ model: 'tiny', contextLength: 512 });
    expect(plain).not.toHaveProperty('samplingDefaults');
    const config = { do_sample: false, temperature: 0.6, top_p: 0, top_k: -1, min_p: null, repetition_penalty: 1.05 };
    await writeFile(join(path, 'generation_config.json'), JSON.stringify({ eos_token_id: 2, ...config }));
    const folder = await openModelFolder(path);
    expect(folder.card({ model: 'tiny', contextLength: 512 })).toEqual({
      ...plain,
      samplingDefaults: { temperature: 0.6, topP: 1e-9, topK: 0, repetitionPenalty: 1.05 },
    });
    expect(folder.card({ model: 'tiny', contextLength: 512, samplingDefaults: false })).toEqual(plain);
    await writeFile(join(path, 'generation_config.json'), '{"temperature": 7, "top_k": 1.5}');
    expect(await problems()).toEqual([
      expect.stringMatching(/^generation_config\.json: field temperature: .*<=2/),
      expect.stringMatching(/^generation_config\.json: field top_k: /),
    ]);
  });

  it("says of a builder's folder only what is wrong with it", async () => {
    await rm(join(path, 'config.json'));
    await writeFile(join(path, 'genai_config.json'), '{"model": []}');
    expect(await problems()).toEqual([expect.stringMatching(/^genai_config\.json: field model: /)]);
  });

  it('refuses vocabularies whose pieces have no ids', async () => {
    for (const [vocab, expected] of [
      [{ a: 0, b: 'x' }, /field model\.vocab: the id of "b" is "x", it must be a whole number/],
      [{ a: -1 }, /the id of "a" is -1/],
      [[['a', 0], ['b']], /entry 1 is \["b"\], it must be a piece and its score/],
    ] as const) {
      await writeFile(join(path, 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab, merges: [] } }));
      expect(await problems()).toEqual([expect.stringMatching(expected)]);
    }
  });

  it('refuses a template that cannot be rendered', async () => {
    await writeFile(join(path, 'chat_template.jinja'), '{{ messages | frobnicate }}');
    expect(await problems()).toEqual([expect.stringMatching(/^chat_template\.jinja: .*unknown filter "frobnicate"$/)]);
  });
});

describe('resolveModelFolder', () => {
  it('finds a name in the roots and takes a path as it is', async () => {
    expect(await resolveModelFolder('tiny', [join(root, 'nothing'), root])).toBe(path);
    expect(await resolveModelFolder(path, [])).toBe(path);
  });

  it('says of a GGUF and of other files what to give instead', async () => {
    await writeFile(join(root, 'model.gguf'), 'GGUF');
    await expect(resolveModelFolder(join(root, 'model.gguf'), [])).rejects.toThrow(
      /model\.gguf: it is a GGUF.*npx millrace models import \S+model\.gguf \S+\/model$/,
    );
    await expect(resolveModelFolder('tiny/config.json', [root])).rejects.toThrow(
      /config\.json: it is a file that is no ONNX model.*path of the model folder/,
    );
  });

  it('names the places tried and the models that are there', async () => {
    await expect(resolveModelFolder('huge', [root])).rejects.toThrow(
      new RegExp(`tried ${join(root, 'huge')}.*use one of tiny`),
    );
  });
});

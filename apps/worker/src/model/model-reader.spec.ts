import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unpackCard } from '#contracts';
import type { ModelOptions } from '../worker-options.ts';
import { ModelReader } from './model-reader.ts';
import { readModel } from './read-model.ts';

const MODELS = new URL('../../../../test/fixtures/models', import.meta.url).pathname;
const OPTIONS: ModelOptions = {
  ...{
    folder: 'tiny-llama',
    modelId: 'tiny',
    outputFormat: null,
    samplingDefaults: 'model',
    slots: 2,
    parkingSlots: 0,
    slotTokens: 64,
  },
  ...{ kvBytes: 0, prefixCacheBytes: 0, threads: 1, cpus: null, spinUs: null },
};

describe('ModelReader', () => {
  it('hands over what the folder holds, whether it was begun before or not', async () => {
    const reader = new ModelReader([MODELS], ['cpu']);
    const here = await readModel(OPTIONS, [MODELS], ['cpu']);
    reader.begin(OPTIONS);
    const both = await Promise.all([reader.read(OPTIONS), reader.read({ ...OPTIONS })]);
    for (const { card, ...rest } of both) {
      expect(rest).toEqual({ ...here, card: undefined });
      expect({ ...card, bytes: Buffer.from(card.bytes) }).toEqual(here.card);
    }
  });

  it('tells what is wrong as if it had been read here', async () => {
    const reader = new ModelReader([MODELS], ['cpu']);
    const wrong = [
      { ...OPTIONS, folder: join(MODELS, 'absent') },
      { ...OPTIONS, outputFormat: 'none' },
    ];
    for (const options of wrong) reader.begin(options);
    for (const options of wrong) {
      const [there, here] = await Promise.all(
        [reader.read(options), readModel(options, [MODELS], ['cpu'])].map((reading) =>
          reading.catch((error: unknown) => error),
        ),
      );
      expect(there).toBeInstanceOf(Error);
      expect(there).toMatchObject({ name: (here as Error).name, message: (here as Error).message });
    }
  });
});

describe('readModel', () => {
  it('believes the graph where config.json says otherwise: its vocabulary, and the positions of its rotary tables', async () => {
    const root = await mkdtemp(join(tmpdir(), 'millrace-read-'));
    const folder = join(root, 'tiny');
    await cp(join(MODELS, 'tiny-llama'), folder, { recursive: true });
    const config = { model_type: 'llama', vocab_size: 50_000, max_position_embeddings: 131_072, text_config: null };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const { card, slotTokens, tokenTable } = await readModel({ ...OPTIONS, folder, slotTokens: 4_096 }, [], ['cpu']);
    expect(slotTokens).toBe(512);
    const { json } = await unpackCard(card.bytes);
    expect(JSON.parse(json)).toMatchObject({ vocabularySize: 384, contextLength: 512 });
    expect(tokenTable.special).toHaveLength(384);
    await rm(root, { recursive: true });
  });

  it('tells requests what generation_config.json recommends, or does not', async () => {
    const root = await mkdtemp(join(tmpdir(), 'millrace-read-'));
    const folder = join(root, 'tiny');
    await cp(join(MODELS, 'tiny-llama'), folder, { recursive: true });
    await writeFile(join(folder, 'generation_config.json'), '{"temperature": 0.6, "top_k": 20}');
    const defaultsWith = async (samplingDefaults: 'model' | 'none') => {
      const { card } = await readModel({ ...OPTIONS, folder, samplingDefaults }, [], ['cpu']);
      return JSON.parse((await unpackCard(card.bytes)).json).samplingDefaults;
    };
    expect(await defaultsWith('model')).toEqual({ temperature: 0.6, topK: 20 });
    expect(await defaultsWith('none')).toBeUndefined();
    await rm(root, { recursive: true });
  });
});

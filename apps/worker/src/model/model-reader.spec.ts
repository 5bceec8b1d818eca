import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ModelOptions } from '../worker-options.ts';
import { ModelReader } from './model-reader.ts';
import { readModel } from './read-model.ts';

const MODELS = new URL('../../../../test/fixtures/models', import.meta.url).pathname;
const OPTIONS: ModelOptions = {
  ...{ folder: 'tiny-llama', modelId: 'tiny', outputFormat: null, slots: 2, parkingSlots: 0, slotTokens: 64 },
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

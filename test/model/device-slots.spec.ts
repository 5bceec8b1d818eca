import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { openModelRunner } from '#model-runner';
import { lengthenedModel } from '../support/lengthened-model.ts';
import { fixtureModel } from './fixture-models.ts';

/** A prime: no number of rows that a slot can be cut into divides it. */
const SLOT_TOKENS = 8_209;
const INT64_BYTES = 8;

it('copies slots of any length in small pieces, and computes on them as in host memory', async () => {
  await using model = await lengthenedModel(dirname(fixtureModel('tiny-llama').modelFile), SLOT_TOKENS);
  const open = (kvMemory: 'auto' | 'device') =>
    openModelRunner({
      ...{ modelFile: `${model.folder}/model.onnx`, slots: 2, slotTokens: SLOT_TOKENS, kvMemory },
      ...{ threads: 1, binding: 'c-api', maxChunkTokens: 64, products: 'onnxruntime' },
    });
  const [device, host] = [await open('device'), await open('auto')];
  const prompt = Int32Array.from({ length: 50 }, (_, i) => 1 + (i % 30));
  for (const runner of [device, host]) {
    await runner.prefill(0, prompt, 0);
    const before = runner.transferredBytes ?? 0;
    runner.copySlot(0, 1, prompt.length);
    const pieces = ((runner.transferredBytes ?? 0) - before) / INT64_BYTES;
    if (runner === device) expect(pieces).toBe(runner.shape.kvHeads * Math.ceil(SLOT_TOKENS / 4));
    await runner.decode(2, Int32Array.of(7, 9), Int32Array.of(prompt.length, prompt.length));
  }
  const { vocabularySize } = host.shape;
  for (const row of [0, 1]) device.deviceLogits?.fetchRow(row);
  expect(device.logits.subarray(0, 2 * vocabularySize)).toEqual(host.logits.subarray(0, 2 * vocabularySize));
  await device.close();
  await host.close();
});

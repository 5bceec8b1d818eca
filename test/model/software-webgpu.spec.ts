import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExecutionProvider } from '#contracts';
import { openModelRunner, ProviderUnavailableError } from '#model-runner';
import { hasSoftwareVulkan, useSoftwareVulkan } from '../support/software-vulkan.ts';
import { fixtureModel } from './fixture-models.ts';
import { writeHalfPrecision } from './half-precision.ts';
import { describeModelRunner } from './model-runner-conformance.ts';
import { generateAlone } from './runner-driver.ts';

const fixture = fixtureModel('tiny-llama');

/** ONNX Runtime's own WebGPU provider on a Vulkan device that computes on the CPU: all that a GPU does, but its speed and float16. */
describe.runIf(hasSoftwareVulkan())('on a software Vulkan device', () => {
  beforeAll(useSoftwareVulkan);

  describeModelRunner(
    {
      name: 'webgpu',
      emulated: true,
      open: (slots, slotTokens, maxChunkTokens, parkingSlots) =>
        openModelRunner({
          ...{ modelFile: fixture.modelFile, slots, slotTokens, maxChunkTokens, parkingSlots, threads: 1 },
          ...{ binding: 'c-api', providers: ['webgpu'], prefixCacheBytes: 1 << 20 },
        }),
    },
    fixture,
  );

  // With GroupQueryAttention, and with attention of plain operators over a cache that is copied.
  it.each(['tiny-llama', 'tiny-mha'])(
    'takes the next provider for %s in float16, which the device does not know, or says so',
    async (name) => {
      const whole = fixtureModel(name);
      const folder = mkdtempSync(join(tmpdir(), 'half-'));
      try {
        const modelFile = join(folder, 'half.onnx');
        writeHalfPrecision(whole.modelFile, modelFile);
        const reasons: string[] = [];
        const open = (...providers: ExecutionProvider[]) =>
          openModelRunner({
            ...{ modelFile, providers, slots: 1, slotTokens: 64, maxChunkTokens: 16, threads: 1 },
            ...{ binding: 'auto', onFallback: (reason) => reasons.push(reason) },
          });
        const lack = /^execution provider "webgpu": the model is in float16, .* Take an export in float32/;
        const opening = open('webgpu');
        await expect(opening).rejects.toThrow(ProviderUnavailableError);
        await expect(opening).rejects.toThrow(lack);
        const runner = await open('webgpu', 'cpu');
        expect(runner.description).toMatchObject({ provider: 'cpu', kvType: 'float16' });
        expect(reasons).toEqual([expect.stringMatching(lack)]);
        const { promptIds, generatedIds } = whole.prompts.find((prompt) => prompt.promptIds.length < 40)!;
        expect((await generateAlone(runner, promptIds, 1, 16)).tokens).toEqual(generatedIds.slice(0, 1));
        await runner.close();
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

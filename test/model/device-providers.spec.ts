import { describe, expect, it } from 'vitest';
import { openModelRunner, ProviderUnavailableError } from '#model-runner';
import { fixtureModel } from './fixture-models.ts';
import { describeModelRunner } from './model-runner-conformance.ts';
import { generateAlone, largestDifference, logitsRow, prefillInChunks } from './runner-driver.ts';

const PROVIDERS = ['cuda', 'webgpu'] as const;
/** cuBLAS takes another kernel for another number of rows: what logits may differ by in float32. A row of another slot differs by whole units. */
const RUN_ROUNDING = { cuda: 1e-3, webgpu: 0 } as const;
/** Names a provider whose whole conformance is wanted: minutes where a GPU is emulated in software. */
const WHOLE_SUITE = process.env.MILLRACE_TEST_PROVIDER;

const fixture = fixtureModel('tiny-llama');

function open(provider: 'cuda' | 'webgpu' | 'cpu', modelFile = fixture.modelFile, slots = 3) {
  const size = { slots, parkingSlots: 1, slotTokens: 256, maxChunkTokens: 32 };
  return openModelRunner({ modelFile, ...size, threads: 2, binding: 'c-api', providers: [provider] });
}

describe.each(PROVIDERS)('%s', (provider) => {
  it('gives the CPU’s tokens and a row’s logits in any batch, or says what is missing and what helps', async () => {
    let runner: Awaited<ReturnType<typeof open>>;
    try {
      runner = await open(provider);
    } catch (error) {
      expect(error).toBeInstanceOf(ProviderUnavailableError);
      expect((error as Error).message).toMatch(
        provider === 'cuda' ? /execution provider "cuda": .*(install|image|nvidia)/is : /"webgpu": .*Vulkan/s,
      );
      return;
    }
    expect(runner.description).toMatchObject({ provider, binding: 'c-api', kvCache: 'in-place', kvMemory: 'device' });
    const [first, second] = fixture.prompts.filter(({ promptIds }) => promptIds.length < 40);
    const alone = await generateAlone(runner, first!.promptIds, 6, 16);
    expect(alone.tokens).toEqual(first!.generatedIds.slice(0, 6));
    await prefillInChunks(runner, 0, second!.promptIds, 16);
    await prefillInChunks(runner, 1, first!.promptIds, 16);
    runner.copySlot(1, 2, first!.promptIds.length);
    const past = Int32Array.of(second!.promptIds.length, first!.promptIds.length, first!.promptIds.length);
    await runner.decode(3, new Int32Array(3).fill(alone.tokens[0]!), past);
    for (const row of [1, 2])
      expect(largestDifference(logitsRow(runner, row), alone.logits[1]!)).toBeLessThanOrEqual(RUN_ROUNDING[provider]);
    await runner.close();
  });

  if (WHOLE_SUITE === provider)
    for (const name of ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'] as const) {
      const whole = fixtureModel(name);
      const options = { modelFile: whole.modelFile, threads: 2, binding: 'c-api', providers: [provider] } as const;
      describeModelRunner(
        {
          name: provider,
          runRounding: RUN_ROUNDING[provider],
          open: (slots, slotTokens, maxChunkTokens, parkingSlots) =>
            openModelRunner({ ...options, slots, slotTokens, maxChunkTokens, parkingSlots, prefixCacheBytes: 1 << 20 }),
        },
        whole,
      );
    }
});

it('takes the next provider where one does not work, and says why', async () => {
  const reasons: string[] = [];
  const runner = await openModelRunner({
    modelFile: fixture.modelFile,
    slots: 1,
    slotTokens: 64,
    threads: 1,
    binding: 'auto',
    providers: ['cuda', 'cpu'],
    maxChunkTokens: 16,
    onFallback: (reason) => reasons.push(reason),
  });
  if (runner.description.provider === 'cpu') expect(reasons[0]).toMatch(/^execution provider "cuda"/);
  else expect(runner.description.provider).toBe('cuda');
  await runner.close();
});

it('refuses the JS API for a device, whose cache it would carry to the host in every step', async () => {
  const opening = openModelRunner({
    modelFile: fixture.modelFile,
    slots: 1,
    slotTokens: 64,
    threads: 1,
    binding: 'js-api',
    providers: ['webgpu'],
    maxChunkTokens: 16,
  });
  await expect(opening).rejects.toThrow(/the binding js-api runs on the CPU only/);
});

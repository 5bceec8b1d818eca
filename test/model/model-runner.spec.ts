import { expect, it } from 'vitest';
import type { KvType } from '#contracts';
import { type OpenModelRunnerOptions, openModelRunner, productsHere } from '#model-runner';
import { FIXTURE_NAMES, fixtureModel } from './fixture-models.ts';
import { describeModelRunner } from './model-runner-conformance.ts';
import { differingValues, generateAlone } from './runner-driver.ts';

const BINDINGS = ['c-api', 'js-api'] as const;
const OURS = productsHere().startsWith('our own library');
/** What our own attention can keep. Weights are random, so that tokens are near each other. */
const ROUNDINGS: Partial<Record<string, { kvType: KvType; largestDifference: number; leastAgreement: number }>> = {
  'tiny-qwen3': { kvType: 'float16', largestDifference: 0.1, leastAgreement: 0.97 },
  'tiny-llama': { kvType: 'int8', largestDifference: 1.5, leastAgreement: 0.35 },
};

for (const name of FIXTURE_NAMES) {
  const fixture = fixtureModel(name);
  const open = (
    change: Pick<OpenModelRunnerOptions, 'binding' | 'kvMemory' | 'products' | 'kvType'>,
    slots: number,
    slotTokens: number,
    maxChunkTokens: number,
    parkingSlots = 0,
  ) =>
    openModelRunner({
      modelFile: fixture.modelFile,
      slots,
      parkingSlots,
      slotTokens,
      prefixCacheBytes: 1 << 20,
      threads: 2,
      maxChunkTokens,
      ...change,
    });

  for (const binding of BINDINGS)
    describeModelRunner({ name: binding, open: (...sizes) => open({ binding }, ...sizes) }, fixture);

  // The way of CUDA and WebGPU, on the CPU provider's own allocator.
  if (name !== 'tiny-mha')
    describeModelRunner(
      {
        name: 'c-api with a device cache',
        open: (...sizes) => open({ binding: 'c-api', kvMemory: 'device' }, ...sizes),
      },
      fixture,
    );

  const rounding = OURS ? ROUNDINGS[name] : undefined;
  if (rounding !== undefined)
    describeModelRunner(
      {
        name: `c-api with keys and values as ${rounding.kvType}`,
        open: (...sizes) => open({ binding: 'c-api', kvType: rounding.kvType }, ...sizes),
        rounding,
      },
      fixture,
    );

  it(`gives the same bits on ${name} through the C API and the JS API`, async () => {
    const [cApi, jsApi] = await Promise.all(
      BINDINGS.map((binding) => open({ binding, products: 'onnxruntime' }, 2, 256, 32)),
    );
    const prompt = fixture.prompts.find(({ promptIds }) => promptIds.length > 40)!.promptIds;
    const [a, b] = [await generateAlone(cApi!, prompt, 16, 32), await generateAlone(jsApi!, prompt, 16, 32)];
    expect(a.tokens).toEqual(b.tokens);
    a.logits.forEach((logits, i) => {
      expect(differingValues(logits, b.logits[i]!)).toBe(0);
    });
    expect(cApi!.description).toMatchObject({ binding: 'c-api', runtimeVersion: jsApi!.description.runtimeVersion });
    expect(jsApi!.description.kvCache).toBe(cApi!.description.kvCache);
    await Promise.all([cApi!.close(), jsApi!.close()]);
  });
}

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner, type PrefillParts } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { DeliveredAnswer } from '../../libs/engine/src/testing/delivered-answer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { fixtureModel } from './fixture-models.ts';
import { differingValues, logitsRow } from './runner-driver.ts';

const SHIPPED = fileURLToPath(new URL('../../models/smollm2-135m-instruct/model.onnx', import.meta.url));
const MODELS: readonly (readonly [name: string, modelFile: string, parts: number])[] = [
  ['tiny-llama', fixtureModel('tiny-llama').modelFile, 2],
  ['tiny-qwen3', fixtureModel('tiny-qwen3').modelFile, 2],
  ['the shipped model', SHIPPED, 4],
];

const open = (modelFile: string, prefillParts: number) =>
  openModelRunner({
    modelFile,
    slots: 3,
    slotTokens: 64,
    threads: 1,
    binding: 'c-api',
    maxChunkTokens: 64,
    prefillParts,
  });

function partsOf({ prefillParts }: ModelRunner): PrefillParts {
  if (prefillParts == null) throw new Error('the runner computes no prompts in parts');
  return prefillParts;
}

describe.for(MODELS)('prompts of %s in parts', ([, modelFile, parts]) => {
  const token = (i: number) => (i * 37 + 5) % 300;
  const prompt = Int32Array.from({ length: 40 }, (_, i) => token(i));
  const others = { tokens: Int32Array.of(7, 8), past: Int32Array.of(5, 9) };

  async function fillRows(runner: ModelRunner): Promise<void> {
    for (const [row, tokens] of others.past.entries()) await runner.prefill(row, prompt.subarray(0, tokens), 0);
  }

  /** What the rows' next token and the prompt's and the one behind it are chosen by. */
  async function whole(runner: ModelRunner): Promise<Float32Array[]> {
    await fillRows(runner);
    await runner.decode(2, others.tokens, others.past);
    const rows = [logitsRow(runner, 0), logitsRow(runner, 1)];
    await runner.prefill(2, prompt.subarray(0, 24), 0);
    await runner.prefill(2, prompt.subarray(24), 24);
    return [...rows, logitsRow(runner), await next(runner)];
  }

  async function next(runner: ModelRunner): Promise<Float32Array> {
    await runner.decode(3, Int32Array.of(7, 8, 9), Int32Array.of(5, 9, 40));
    return logitsRow(runner, 2);
  }

  it('come out with the same bits, with decode runs between the parts and after chunks that were given up', async () => {
    const reference = await open(modelFile, 1);
    const expected = await whole(reference);
    await reference.close();

    const runner = await open(modelFile, parts);
    const inParts = partsOf(runner);
    expect(inParts.count).toBe(parts);
    for (const [i, logits] of (await whole(runner)).entries()) expect(differingValues(logits, expected[i]!)).toBe(0);

    await fillRows(runner);
    await inParts.run(0, 2, prompt.subarray(0, 10), 0);
    await inParts.run(0, 2, prompt.subarray(0, 24), 0);
    for (let part = 1; part < parts; part++) {
      await runner.decode(2, others.tokens, others.past);
      for (const row of [0, 1]) expect(differingValues(logitsRow(runner, row), expected[row]!)).toBe(0);
      await inParts.run(part, 2, prompt.subarray(0, 24), 0);
    }
    for (let part = 0; part < parts; part++) await inParts.run(part, 2, prompt.subarray(24), 24);
    expect(differingValues(logitsRow(runner), expected[2]!)).toBe(0);
    expect(differingValues(await next(runner), expected[3]!)).toBe(0);
    await inParts.run(0, 2, prompt.subarray(0, 10), 0);
    await runner.close();
  });

  it('leave the answers of an engine as they are, with tokens of others between the parts', async () => {
    const request = (requestId: string, promptTokens: number, maxTokens: number): EngineRequest => ({
      requestId,
      epoch: 1,
      promptTokenIds: prompt.subarray(0, promptTokens),
      choices: 1,
      sampling: { ...GREEDY },
      stop: { tokenIds: [], strings: [], maxTokens },
      topLogprobs: 2,
    });
    const runner = await open(modelFile, parts);
    const options = { runner, tokenTable: numberedTokenTable(runner.shape.vocabularySize), prefillChunkTokens: 16 };
    const asked = [request('running', 10, 50), request('prompt', 40, 10)];
    const alone = asked.map(({ requestId }) => new DeliveredAnswer(requestId, 1));
    for (const [i, answer] of alone.entries()) {
      const engine = new Engine(options);
      answer.follow(engine);
      engine.submit(asked[i]!);
      await engine.runUntilIdle();
    }
    // No time at all is allowed beside a decode run, so that every chunk is the smallest one, in parts.
    const engine = new Engine({ ...options, decodeStretch: 1.01, leastPrefillMs: 0 });
    const together = asked.map(({ requestId }) => new DeliveredAnswer(requestId, 1));
    for (const answer of together) answer.follow(engine);
    engine.submit(asked[0]!);
    for (let step = 0; step < 4; step++) await engine.step();
    engine.submit(asked[1]!);
    await engine.runUntilIdle();
    for (const [i, answer] of together.entries()) expect(answer.choices).toEqual(alone[i]!.choices);
    const { stepsTotal, prefillRunsTotal, decodeRunsTotal } = engine.stats();
    expect(stepsTotal - prefillRunsTotal - decodeRunsTotal).toBeGreaterThanOrEqual(8 * (parts - 1));
    await engine.close();
  });

  it('refuse a part whose beginning was not run', async () => {
    const runner = await open(modelFile, parts);
    expect(() => partsOf(runner).run(1, 2, prompt, 0)).toThrow(/part 0 was not run/);
    await runner.close();
  });
});

it('leaves a model whole that cannot be cut, and says why', async () => {
  const reasons: string[] = [];
  const runner = await openModelRunner({
    modelFile: fixtureModel('tiny-llama').modelFile,
    slots: 1,
    slotTokens: 8,
    threads: 1,
    binding: 'c-api',
    maxChunkTokens: 8,
    prefillParts: 50,
    onFallback: (reason) => reasons.push(reason),
  });
  expect(runner.prefillParts ?? null).toBeNull();
  expect(reasons).toEqual([expect.stringContaining('prompts are not computed in parts')]);
  await runner.close();
});

it('cuts a model for the CPU also where other providers are tried before it', async () => {
  const runner = await openModelRunner({
    modelFile: fixtureModel('tiny-llama').modelFile,
    slots: 1,
    slotTokens: 64,
    threads: 1,
    binding: 'c-api',
    providers: ['cuda', 'cpu'],
    maxChunkTokens: 8,
    prefillParts: 2,
  });
  expect(runner.prefillParts?.count).toBe(runner.description.provider === 'cpu' ? 2 : undefined);
  await runner.close();
});

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner, type SamplingParameters } from '#contracts';
import { Engine, type EngineRequest, type StepOutput } from '#engine';
import { openModelRunner } from '#model-runner';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';

interface Reference {
  readonly vocabularySize: number;
  readonly prompts: readonly { readonly promptIds: readonly number[]; readonly generatedIds: readonly number[] }[];
}

const SLOTS = 8;
const PREFILL_CHUNK_TOKENS = 32;

const fixture = (model: string, file: string) => new URL(`../fixtures/models/${model}/${file}`, import.meta.url);

function requestOf(
  id: string,
  promptIds: readonly number[],
  sampling: Partial<SamplingParameters> = {},
): EngineRequest {
  return {
    requestId: id,
    epoch: 1,
    promptTokenIds: Int32Array.from(promptIds),
    choices: 1,
    sampling: { ...GREEDY, ...sampling },
    stop: { tokenIds: [], strings: [], maxTokens: 64 },
    topLogprobs: null,
  };
}

/** Engines come and go over the one runner of a model; only the runner is closed. */
class Session {
  readonly engine: Engine;
  readonly tokenIds = new Map<string, number[]>();
  readonly failures: string[] = [];

  constructor(runner: ModelRunner) {
    const tokenTable = numberedTokenTable(runner.shape.vocabularySize);
    this.engine = new Engine({ runner, tokenTable, prefillChunkTokens: PREFILL_CHUNK_TOKENS });
    this.engine.onStep((output) => this.#take(output));
  }

  static async run(runner: ModelRunner, requests: readonly EngineRequest[]): Promise<Session> {
    const session = new Session(runner);
    for (const request of requests) session.engine.submit(request);
    await session.engine.runUntilIdle();
    return session;
  }

  #take({ deltas, failed }: StepOutput): void {
    for (const { requestId, choice, tokenIds } of deltas) {
      const key = choice === 0 ? requestId : `${requestId}/${choice}`;
      this.tokenIds.set(key, [...(this.tokenIds.get(key) ?? []), ...tokenIds]);
    }
    for (const failure of failed) this.failures.push(failure.message);
  }
}

describe.each(['tiny-llama', 'tiny-qwen2', 'tiny-qwen3', 'tiny-mha'])('the engine on %s', (model) => {
  const reference: Reference = JSON.parse(readFileSync(fixture(model, 'reference.json'), 'utf8'));
  const requests = reference.prompts.map(({ promptIds }, index) => requestOf(`p${index}`, promptIds));
  const expected = new Map(reference.prompts.map(({ generatedIds }, index) => [`p${index}`, generatedIds]));
  let runner: ModelRunner;

  beforeAll(async () => {
    runner = await openModelRunner({
      modelFile: fixture(model, 'model.onnx').pathname,
      slots: SLOTS,
      slotTokens: 512,
      threads: 1,
      binding: 'auto',
      maxChunkTokens: PREFILL_CHUNK_TOKENS,
    });
  });

  afterAll(async () => {
    await runner?.close();
  });

  it('has a reference of 16 prompts or more, shorter and longer than a chunk, with 64 tokens each', () => {
    const lengths = reference.prompts.map(({ promptIds }) => promptIds.length);
    expect(lengths.length).toBeGreaterThanOrEqual(16);
    expect(Math.min(...lengths)).toBeLessThan(PREFILL_CHUNK_TOKENS);
    expect(Math.max(...lengths)).toBeGreaterThan(2 * PREFILL_CHUNK_TOKENS);
    for (const { generatedIds } of reference.prompts) expect(generatedIds.length).toBeGreaterThanOrEqual(64);
  });

  it('gives the tokens of transformers for each prompt alone', async () => {
    for (const request of requests) {
      const session = await Session.run(runner, [request]);
      expect(session.failures).toEqual([]);
      expect(session.tokenIds.get(request.requestId)).toEqual(expected.get(request.requestId));
    }
  });

  it('gives the tokens of transformers in ragged batches of 8, every time', async () => {
    for (let round = 0; round < 2; round++) {
      const { tokenIds, engine } = await Session.run(runner, requests);
      expect(tokenIds).toEqual(expected);
      const { decodedTokensTotal, decodeRunsTotal } = engine.stats();
      expect(decodedTokensTotal / decodeRunsTotal).toBeGreaterThan(5);
    }
  });

  it('gives the tokens of transformers while others join and are cancelled mid-way', async () => {
    const session = new Session(runner);
    const guests = reference.prompts.map(({ promptIds }, index) =>
      requestOf(`guest${index}`, [...promptIds].reverse()),
    );
    for (const [index, request] of requests.entries()) {
      session.engine.submit(request);
      session.engine.submit(guests[index]!);
      for (let step = 0; step < 3 + (index % 5); step++) await session.engine.step();
      if (index >= 2) session.engine.cancel(guests[index - 2]!.requestId, 1);
    }
    await session.engine.runUntilIdle();
    expect(session.failures).toEqual([]);
    for (const [id, tokens] of expected) expect(session.tokenIds.get(id)).toEqual(tokens);
  });

  it('gives sampled answers with seeds and penalties as alone, also several choices of one prompt', async () => {
    const sampled = reference.prompts.slice(0, 10).map(({ promptIds }, index) => ({
      ...requestOf(`s${index}`, promptIds, {
        temperature: 0.9,
        topP: index % 2 === 0 ? 0.95 : 1,
        topK: index % 3 === 0 ? 40 : 0,
        frequencyPenalty: 0.4,
        presencePenalty: 0.2,
        repetitionPenalty: 1.1,
        seed: 1_000 + index,
      }),
      choices: 1 + (index % 3),
    }));
    const batched = await Session.run(runner, sampled);
    for (const request of sampled) {
      const alone = await Session.run(runner, [request]);
      expect(alone.tokenIds.size).toBe(request.choices);
      for (const [key, tokens] of alone.tokenIds) expect(batched.tokenIds.get(key)).toEqual(tokens);
    }
  });
});

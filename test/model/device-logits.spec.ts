import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner, type SamplingParameters, type TokenTable } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { tokenTableFromTokenizerJson } from '#models';
import { GrammarConstraints } from '#models/grammar';
import { CollectedAnswers } from '../../libs/engine/src/testing/collected-answers.ts';
import { tokenTableOf } from '../../libs/engine/src/testing/token-tables.ts';
import { writeWideModel } from '../support/wide-model.ts';
import { fixtureModel } from './fixture-models.ts';
import { writeHalfPrecision } from './half-precision.ts';

const fixture = fixtureModel('tiny-llama');
const TOKENIZER = new URL('../fixtures/models/tiny-llama/tokenizer.json', import.meta.url);
const STOP_TOKEN = 2;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'device-logits-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const open = (modelFile: string, slots: number, kvMemory: 'auto' | 'device') =>
  openModelRunner({
    ...{ modelFile, slots, slotTokens: 300, threads: 2, binding: 'c-api', maxChunkTokens: 64, kvMemory },
    products: 'onnxruntime', // A device's attention is never ours.
  });

/** Rows that ask for everything that a choice can depend on. */
const KINDS: Record<string, { sampling?: Partial<SamplingParameters>; more?: Partial<EngineRequest> }> = {
  greedy: {},
  sampled: { sampling: { temperature: 0.8, topP: 0.9 } },
  'sampled from all': { sampling: { temperature: 0.6 } },
  'top-k': { sampling: { temperature: 1.2, topK: 20 } },
  'min-p': { sampling: { temperature: 1, minP: 0.1 } },
  penalized: { sampling: { presencePenalty: 0.8, frequencyPenalty: 0.4, temperature: 0.7 } },
  repetitive: { sampling: { repetitionPenalty: 1.3 } },
  raised: { sampling: { presencePenalty: -1, temperature: 0.5 } },
  biased: {
    sampling: { temperature: 0.7, logitBias: Array.from({ length: 100 }, (_, i) => [3 * i + 3, (i % 7) - 3]) },
  },
  logprobs: { more: { topLogprobs: 20 } },
  constrained: {
    sampling: { temperature: 1 },
    more: {
      constraint: {
        type: 'json_schema',
        schema: { type: 'array', minItems: 60, items: { type: 'integer' } },
        strict: true,
      },
    },
  },
  'constrained with logprobs': {
    more: {
      topLogprobs: 5,
      constraint: {
        type: 'json_schema',
        schema: { type: 'array', minItems: 60, items: { type: 'boolean' } },
        strict: true,
      },
    },
  },
};

function requestOf(kind: string, id: string, promptIds: readonly number[], choices = 1): EngineRequest {
  const { sampling, more } = KINDS[kind]!;
  return {
    requestId: id,
    epoch: 1,
    promptTokenIds: Int32Array.from(promptIds),
    choices,
    sampling: { ...GREEDY, seed: 11, ...sampling },
    stop: { tokenIds: [STOP_TOKEN], strings: [], maxTokens: 24 },
    topLogprobs: null,
    ...more,
  };
}

async function answersOf(runner: ModelRunner, tokenTable: TokenTable, requests: readonly EngineRequest[]) {
  const constraints = new GrammarConstraints(tokenTable, runner.shape.vocabularySize);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 256, constraints });
  const answers = new CollectedAnswers(engine);
  for (const request of requests) engine.submit(request);
  await engine.runUntilIdle();
  expect([...answers.failures.values()]).toEqual([]);
  return answers;
}

describe.each(['float32', 'float16'] as const)('the engine with %s logits on a device', (type) => {
  it('gives the tokens, texts and log probabilities that it gives with logits in host memory', async () => {
    const file = join(folder, `${type}.onnx`);
    if (type === 'float16') writeHalfPrecision(fixture.modelFile, file);
    const wide = join(folder, `wide-${type}.onnx`);
    const size = writeWideModel(fixture.modelFile, wide, 6);
    if (type === 'float16') writeHalfPrecision(wide, wide);
    const narrowTable = tokenTableFromTokenizerJson(readFileSync(TOKENIZER, 'utf8'), 384);
    const wideTable = tokenTableOf(Array.from({ length: size }, (_, token) => textOf(token)));
    const models = [
      { modelFile: type === 'float16' ? file : fixture.modelFile, tokenTable: narrowTable },
      { modelFile: wide, tokenTable: wideTable },
    ];
    for (const { modelFile, tokenTable } of models) {
      const requests = Object.keys(KINDS).flatMap((kind, i) => {
        const prompt = fixture.prompts[i]!.promptIds.slice(0, 40);
        return [requestOf(kind, kind, prompt), requestOf(kind, `${kind}, several`, prompt, 3)];
      });
      const all: Record<string, unknown>[] = [];
      for (const kvMemory of ['auto', 'device'] as const) {
        const runner = await open(modelFile, 5, kvMemory);
        expect(runner.deviceLogits == null).toBe(kvMemory === 'auto');
        const { answers, outputs } = await answersOf(runner, tokenTable, requests);
        const logprobs = outputs.flatMap(({ deltas }) => deltas.map((delta) => delta.logprobs));
        all.push({ answers: Object.fromEntries(answers), logprobs });
        if (runner.deviceLogits != null) {
          const { wholeRowsTotal, decodedTokensTotal } = outputs.at(-1)!.stats;
          expect(wholeRowsTotal).toBeLessThan(decodedTokensTotal / 4);
        }
        await runner.close();
      }
      expect(all[1]!.answers).toEqual(all[0]!.answers);
      const [expected, actual] = all.map(({ logprobs }) => logprobs as { tokenId: number; logprob: number }[][]);
      expect(flatLogprobs(actual!).map(({ tokenId }) => tokenId)).toEqual(
        flatLogprobs(expected!).map(({ tokenId }) => tokenId),
      );
      const differences = flatLogprobs(actual!).map(({ logprob }, i) =>
        Math.abs(logprob - flatLogprobs(expected!)[i]!.logprob),
      );
      expect(differences.length).toBeGreaterThan(500);
      expect(Math.max(...differences)).toBeLessThan(1e-4);
    }
  });
});

const textOf = (token: number): string => ['1', '2', ',', ']', 'true', 'false', ' ', 'a', '['][token % 9]!;

interface Likely {
  readonly tokenId: number;
  readonly logprob: number;
}

function flatLogprobs(logprobs: readonly (readonly (Likely & { top?: readonly Likely[] })[])[]): Likely[] {
  return logprobs.flatMap((ofDelta) => ofDelta.flatMap(({ top = [], ...own }) => [own, ...top]));
}

it('takes at most a megabyte between host and device in a step of 32 rows, the same at any context', async () => {
  const file = join(folder, 'wide.onnx');
  const vocabularySize = writeWideModel(fixture.modelFile, file, 134);
  expect(vocabularySize).toBeGreaterThan(50_000);
  const tokenTable = tokenTableOf(Array.from({ length: vocabularySize }, (_, token) => textOf(token)));
  const runner = await open(file, 32, 'device');
  const rowBytes = vocabularySize * Float32Array.BYTES_PER_ELEMENT;
  const stepBytes: Record<number, number[]> = {};
  for (const promptTokens of [4, 250]) {
    const prompt = Array.from({ length: promptTokens }, (_, i) => 3 + (i % 4));
    const kinds = Object.keys(KINDS);
    const requests = Array.from({ length: 32 }, (_, i) => {
      const request = requestOf(kinds[i % kinds.length]!, `r${i}`, prompt);
      return {
        ...request,
        sampling: { ...request.sampling, seed: i },
        stop: { tokenIds: [], strings: [], maxTokens: 48 },
      };
    });
    const { outputs } = await answersOf(runner, tokenTable, requests);
    const before = outputs.map(({ stats }) => stats);
    const steps = outputs.slice(1).map(({ stats, deltas }, i) => ({
      isFull: deltas.length === 32 && stats.decodeRunsTotal > before[i]!.decodeRunsTotal,
      bytes: stats.deviceTransferBytesTotal - before[i]!.deviceTransferBytesTotal,
      rows: stats.wholeRowsTotal - before[i]!.wholeRowsTotal,
    }));
    const full = steps.filter(({ isFull }) => isFull);
    expect(full.length).toBeGreaterThan(8);
    for (const { bytes } of full) expect(bytes).toBeLessThanOrEqual(1_000_000);
    stepBytes[promptTokens] = full.map(({ bytes, rows }) => bytes - rows * (rowBytes + 8));
  }
  // A prompt's slot may have to be written back and another one read, each by the numbers of its pieces.
  const slotNumbers = runner.shape.kvHeads * runner.slotTokens * BigInt64Array.BYTES_PER_ELEMENT;
  await runner.close();
  const [short, long] = [stepBytes[4]!, stepBytes[250]!];
  expect(Math.min(...long)).toBe(Math.min(...short));
  expect(Math.max(...long, ...short) - Math.min(...short)).toBeLessThanOrEqual(2 * slotNumbers);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine } from '#engine';
import { inspectModel, ModelLoadError, openModelRunner, RunFailedError, RunInterruptedError } from '#model-runner';
import { CollectedAnswers } from '../../libs/engine/src/testing/collected-answers.ts';
import { tokenTableOf } from '../../libs/engine/src/testing/token-tables.ts';
import { CApiSession } from '../../libs/model-runner/src/binding/c-api-session.ts';
import { changedModel } from '../../libs/model-runner/src/edits/changed-model.ts';
import { openCaptured } from '../../libs/model-runner/src/open-captured.ts';
import { DeviceKvCache } from '../../libs/model-runner/src/runners/device-kv-cache.ts';
import { InPlaceRunner } from '../../libs/model-runner/src/runners/in-place-runner.ts';
import { exportedModel } from './exported-model.ts';
import { fixtureModel } from './fixture-models.ts';
import { writeHalfPrecision } from './half-precision.ts';
import { describeModelRunner } from './model-runner-conformance.ts';
import { type CaptureFault, ReplayingSession } from './replaying-session.ts';
import { bestToken, differingValues, logitsRow, prefillInChunks } from './runner-driver.ts';

const SIZE = { slots: 4, parkingSlots: 0, slotTokens: 256, maxChunkTokens: 64 };
const CAPTURED_ROWS = 3;
const TOKENS_INPUT = 0;
const LENGTHS_INPUT = 1;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'captured-decode-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** As `openModelRunner` opens it on a GPU, with a session that captures as far as a CPU can be made to. */
async function openReplaying(modelFile: string, fault: CaptureFault = {}) {
  const signature = await inspectModel(modelFile);
  let session: ReplayingSession | null = null;
  const opened = await openCaptured(signature, SIZE.slotTokens, {
    session: async ({ edits, sideInputs, cache }) => {
      const inner = new CApiSession({
        model: await changedModel(modelFile, edits),
        provider: 'cpu',
        inputNames: ['input_ids', ...sideInputs.map(({ kind }) => kind), ...cache.map(({ past }) => past)],
        outputNames: ['logits', ...cache.map(({ present }) => present)],
        threads: 1,
        spinUs: 0,
      });
      session = new ReplayingSession(inner, fault);
      return session;
    },
    runner: async (binding, form) => {
      const cache = new DeviceKvCache(binding, binding.device!, form, SIZE);
      const size = { ...SIZE, maxRunTokens: Number.POSITIVE_INFINITY, keepsLogits: true, capturedRows: CAPTURED_ROWS };
      return new InPlaceRunner(binding, form, cache, size);
    },
  });
  return { opened, session: session as ReplayingSession | null };
}

const openPlain = (modelFile: string): Promise<ModelRunner> =>
  openModelRunner({ ...SIZE, modelFile, threads: 1, binding: 'c-api', kvMemory: 'device', products: 'onnxruntime' });

/** Rows that join and leave, so that every number of rows comes again and again, each time with other tokens and lengths. */
const BATCHES = [1, 2, 3, 4, 2, 3, 1, 3, 2, 4, 1, 3, 3, 2, 1];

async function driven(runner: ModelRunner): Promise<{ tokens: number[]; logits: Float32Array[] }> {
  const pasts = new Int32Array(SIZE.slots);
  const next = new Int32Array(SIZE.slots);
  const result = { tokens: [] as number[], logits: [] as Float32Array[] };
  for (const [slot, length] of [40, 3, 130, 17].entries()) {
    const prompt = Array.from({ length }, (_, i) => (i * 37 + slot * 11 + 5) % 300);
    next[slot] = bestToken(await prefillInChunks(runner, slot, prompt, 50));
    pasts[slot] = length;
  }
  for (const rows of BATCHES) {
    await runner.decode(rows, next, pasts);
    for (let row = 0; row < rows; row++) {
      const logits = logitsRow(runner, row);
      next[row] = bestToken(logits);
      pasts[row] = pasts[row]! + 1;
      result.tokens.push(next[row]!);
      result.logits.push(logits);
    }
  }
  return result;
}

async function modelNamed(name: string): Promise<string> {
  if (!name.startsWith('half ')) return name.includes('/') ? exportedModel(name) : fixtureModel(name).modelFile;
  const file = join(folder, `${name}.onnx`);
  writeHalfPrecision(fixtureModel(name.slice('half '.length)).modelFile, file);
  return file;
}

describe.each([
  'tiny-llama',
  'tiny-qwen2',
  'tiny-qwen3',
  'half tiny-llama',
  'half tiny-qwen2',
  'llama-builder-fp16-dml/model.onnx',
  'llama-builder-int4-fp16/model.onnx',
  'gemma3-builder-fp32/model.onnx',
])('captured decode runs of %s', (name) => {
  it('give every bit of plain ones when they are replayed, with what was set when they were captured', async () => {
    const modelFile = await modelNamed(name);
    const { opened, session } = await openReplaying(modelFile);
    if (typeof opened === 'string') throw new Error(opened);
    const replaysOfTest = session!.replays;
    const plain = await openPlain(modelFile);
    const [replayed, expected] = [await driven(opened), await driven(plain)];
    expect(replayed.tokens).toEqual(expected.tokens);
    expect(replayed.logits.map((row, i) => differingValues(row, expected.logits[i]!))).toEqual(
      expected.logits.map(() => 0),
    );
    const captured = BATCHES.filter((rows) => rows <= CAPTURED_ROWS).length;
    expect(session!.replays - replaysOfTest).toBe(captured);
    expect([opened.graphReplays, plain.graphReplays]).toEqual([captured, null]);
    await opened.close();
    await plain.close();
  });
});

describe('the comparison at the start', () => {
  const faults: Record<string, CaptureFault> = {
    'read old tokens': { frozenInputs: [TOKENS_INPUT] },
    'read old lengths': { frozenInputs: [LENGTHS_INPUT] },
    'do nothing': { idle: true },
    'are those of another number of rows': { onlyOne: true },
  };
  it.each(Object.keys(faults))('finds replays that %s', async (name) => {
    for (const model of ['tiny-llama', 'tiny-qwen2', 'half tiny-llama']) {
      const { opened, session } = await openReplaying(await modelNamed(model), faults[name]);
      expect(opened).toMatch(
        /a (replayed run gives token \d+ a logit|log).* plain one .* in row \d of \d, step \d of turn \d/s,
      );
      expect(session!.isClosed).toBe(true);
    }
  });

  it('takes what a capture fails with as the reason, and closes the session', async () => {
    const failure = new RunFailedError('operation not permitted when stream is capturing');
    const { opened, session } = await openReplaying(await modelNamed('tiny-llama'), { failure });
    expect(opened).toMatch(/not permitted when stream is capturing/);
    expect(session!.isClosed).toBe(true);
  });

  it('is ended by an interruption, and closes the session', async () => {
    const sessions: ReplayingSession[] = [];
    const signature = await inspectModel(await modelNamed('tiny-llama'));
    const opening = openCaptured(signature, 64, {
      session: () => {
        const names = { inputNames: [], outputNames: [] };
        const inner = new CApiSession({ model: signature.modelFile, provider: 'cpu', ...names, threads: 1, spinUs: 0 });
        sessions.push(new ReplayingSession(inner));
        return sessions[0]!;
      },
      runner: () => Promise.reject(new RunInterruptedError()),
    });
    await expect(opening).rejects.toBeInstanceOf(RunInterruptedError);
    expect(sessions.map(({ isClosed }) => isClosed)).toEqual([true]);
  });
});

it('refuses sessions that are to capture where nothing does', () => {
  const { inputNames, outputNames } = { inputNames: [], outputNames: [] };
  const options = { model: fixtureModel('tiny-llama').modelFile, inputNames, outputNames, threads: 1, spinUs: 0 };
  for (const provider of ['cpu', 'webgpu'] as const)
    expect(() => new CApiSession({ ...options, provider, capturesGraphs: true })).toThrow(
      `execution provider "${provider}": it captures no graphs; cuda does.`,
    );
});

it('says what ONNX Runtime says when it refuses a session that captures', async () => {
  const signature = await inspectModel(await modelNamed('tiny-llama'));
  const refusal = 'This session cannot use the graph capture feature as the model has control flow nodes';
  const opened = await openCaptured(signature, 64, {
    session: () => Promise.reject(new ModelLoadError('model.onnx', `ONNX Runtime 1.30.0 refuses it: ${refusal}`)),
    runner: () => Promise.reject(new Error('no session')),
  });
  expect(opened).toContain(refusal);
});

describe('openModelRunner with capturedRows', () => {
  const open = async (modelFile: string, more: Partial<Parameters<typeof openModelRunner>[0]>) => {
    const reasons: string[] = [];
    const onFallback = (reason: string) => reasons.push(reason);
    const base = { ...SIZE, modelFile, threads: 1, binding: 'c-api' as const, capturedRows: CAPTURED_ROWS };
    const runner = await openModelRunner({ ...base, onFallback, ...more });
    expect(runner.description.fallbacks).toEqual(reasons);
    return { runner, reasons };
  };

  it.each([
    ['tiny-mha', /not captured: its cache grows with every step.*export it with GroupQueryAttention/],
    ['gpt-oss-builder-int4/model.onnx', /not captured: its experts.* need a run for each row/],
    ['llama-community/onnx/model_q4.onnx', /not captured: its cache grows/],
  ])('says of %s why its runs are plain, and serves it', async (name, reason) => {
    const { runner, reasons } = await open(await modelNamed(name), { providers: ['cpu'], kvMemory: 'device' });
    expect(reasons.filter((text) => text.includes('captured'))).toEqual([expect.stringMatching(reason)]);
    await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
    await runner.decode(1, Int32Array.of(4), Int32Array.of(3));
    expect(runner.graphReplays ?? null).toBeNull();
    await runner.close();
  });

  it('serves by plain runs where CUDA does not work, or where it has no kernel for the model', async () => {
    const { runner, reasons } = await open(await modelNamed('tiny-llama'), { providers: ['cuda', 'cpu'] });
    const isPlain = reasons.some((reason) => reason.startsWith('decode runs are not captured: '));
    expect(runner.graphReplays == null).toBe(isPlain);
    await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
    await runner.decode(1, Int32Array.of(4), Int32Array.of(3));
    await runner.close();
  });

  it('refuses providers and bindings that capture nothing', async () => {
    const modelFile = await modelNamed('tiny-llama');
    for (const more of [
      {},
      { providers: ['webgpu', 'cuda'] as const },
      { binding: 'js-api' as const, providers: ['cuda'] as const },
    ])
      await expect(open(modelFile, more)).rejects.toThrow(
        /capturedRows is 3, but the first provider is .*; it must be cuda/,
      );
    await expect(open(modelFile, { capturedRows: 1.5 })).rejects.toThrow(/capturedRows is 1.5; it must be 0 or more/);
  });
});

describe.runIf(process.env.MILLRACE_TEST_PROVIDER === 'cuda')('graphs that CUDA itself captures', () => {
  it.each(['half tiny-llama', 'half tiny-qwen2', 'half tiny-qwen3'])(
    'give the tokens of plain runs: %s',
    async (name) => {
      const options = { ...SIZE, modelFile: await modelNamed(name), threads: 1, providers: ['cuda'] } as const;
      const captured = await openModelRunner({ ...options, binding: 'c-api', capturedRows: CAPTURED_ROWS });
      expect(captured.description.fallbacks.filter((reason) => reason.includes('captured'))).toEqual([]);
      expect(captured.description.capturedRows).toBe(CAPTURED_ROWS);
      const plain = await openModelRunner({ ...options, binding: 'c-api' });
      expect((await driven(captured)).tokens).toEqual((await driven(plain)).tokens);
      expect(captured.graphReplays).toBe(BATCHES.filter((rows) => rows <= CAPTURED_ROWS).length);
      await captured.close();
      await plain.close();
    },
  );
});

it('gives the engine the answers of plain runs, and counts the decode runs that were captured ones', async () => {
  const { modelFile, prompts } = fixtureModel('tiny-llama');
  const tokenTable = tokenTableOf(Array.from({ length: 384 }, (_, token) => `${token} `));
  const served = async (capturedRows: number) => {
    const options = { ...SIZE, modelFile, threads: 1, binding: 'c-api', kvMemory: 'device', capturedRows } as const;
    const runner = await openModelRunner(options);
    expect(runner.description.capturedRows).toBe(capturedRows);
    await runner.decode(1, Int32Array.of(1), Int32Array.of(0));
    const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 64 });
    const answers = new CollectedAnswers(engine);
    for (const [i, { promptIds }] of prompts.slice(0, 4).entries())
      engine.submit({
        requestId: `${i}`,
        epoch: 1,
        promptTokenIds: Int32Array.from(promptIds.slice(0, 40)),
        choices: 1,
        sampling: { ...GREEDY, temperature: i % 2, seed: 5 },
        stop: { tokenIds: [], strings: [], maxTokens: 6 + 5 * i },
        topLogprobs: null,
      });
    await engine.runUntilIdle();
    const { graphReplaysTotal, decodeRunsTotal } = engine.stats();
    await runner.close();
    return { answers: Object.fromEntries(answers.answers), graphReplaysTotal, decodeRunsTotal };
  };
  const [plain, captured] = [await served(0), await served(CAPTURED_ROWS)];
  expect(Object.keys(plain.answers)).toHaveLength(4);
  expect(captured.answers).toEqual(plain.answers);
  expect(plain.graphReplaysTotal).toBe(0);
  expect(captured.graphReplaysTotal).toBeGreaterThan(10);
  expect(captured.graphReplaysTotal).toBeLessThan(captured.decodeRunsTotal);
});

for (const name of ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'] as const) {
  const fixture = fixtureModel(name);
  describeModelRunner(
    {
      name: 'the form of runs that are captured',
      open: async (slots, slotTokens, maxChunkTokens, parkingSlots) => {
        const size = {
          slots,
          slotTokens,
          maxChunkTokens,
          parkingSlots,
          prefixCacheBytes: 1 << 20,
          capturedRows: slots,
        };
        const options = { modelFile: fixture.modelFile, threads: 1, binding: 'c-api', kvMemory: 'device' } as const;
        const runner = await openModelRunner({ ...options, ...size });
        expect(runner.graphReplays).toBe(0);
        return runner;
      },
    },
    fixture,
  );
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner, RunInterruptedError, RunnerArgumentError } from '#model-runner';
import { interruptRun } from '#model-runner/process';
import { DeliveredAnswer } from '../../libs/engine/src/testing/delivered-answer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { exportedModel, exportReference } from './exported-model.ts';
import { bestToken, differingValues, generateAlone, logitsRow, prefillInChunks } from './runner-driver.ts';

const STEPS = 12;
const CHUNK_TOKENS = 32;
const { prompts, vocabularySize } = exportReference('lfm2');
const [SHORT, LONG, OTHER] = [17, 90, 40].map(
  (length) => prompts.find(({ promptIds }) => promptIds.length === length)!,
);

const open = (path: string, more: Partial<Parameters<typeof openModelRunner>[0]> = {}) =>
  openModelRunner({
    ...{ modelFile: exportedModel(path), slots: 3, parkingSlots: 4, slotTokens: 256, threads: 1 },
    ...{ binding: 'auto', maxChunkTokens: CHUNK_TOKENS },
    ...more,
  });

/** Greedy tokens' logits of a sequence that sits at `slot`, alone in it. */
async function decodeRow(runner: ModelRunner, slot: number, tokens: readonly number[], pastTokens: number) {
  const [ids, pasts] = [new Int32Array(slot + 1), new Int32Array(slot + 1)];
  for (let row = 0; row < slot; row++) {
    // Rows that are there because rows are the first slots: a token at their beginning, again and again.
    await runner.prefill(row, Int32Array.of(7, 8), 0);
    [ids[row], pasts[row]] = [9, 2];
  }
  [ids[slot], pasts[slot]] = [tokens.at(-1)!, pastTokens];
  await runner.decode(slot + 1, ids, pasts);
  return logitsRow(runner, slot);
}

describe.each([
  ['as onnxruntime-genai 0.18 exports it', 'lfm2-builder-fp32/model.onnx', {}],
  ['in 4 bits', 'lfm2-builder-int4/model.onnx', {}],
  ['as onnx-community has it', 'lfm2-community/onnx/model.onnx', {}],
  ['in 4 bits, in parts', 'lfm2-builder-int4/model.onnx', { prefillParts: 2 }],
  ['as onnx-community has it, through the JS API', 'lfm2-community/onnx/model.onnx', { binding: 'js-api' }],
] as const)('states of slots, LFM2 %s', (_, path, more) => {
  let runner: ModelRunner;
  let alone: Awaited<ReturnType<typeof generateAlone>>;

  beforeAll(async () => {
    runner = await open(path, { ...more, products: 'binding' in more ? 'onnxruntime' : 'auto' });
    alone = await generateAlone(runner, LONG!.promptIds, STEPS, CHUNK_TOKENS);
  });
  afterAll(async () => {
    await runner?.close();
  });

  it('are told with what they take', () => {
    const valuesOfState = path.startsWith('lfm2-community') ? 3 : 2;
    // Of three layers and 32 channels: of 3 slots twice, of 4 parking slots, and once between the runs of a chunk.
    expect(runner.description.stateBytes).toBe(3 * 32 * valuesOfState * 4 * (2 * 3 + 4 + 1));
    expect(runner).toMatchObject({ blocks: 0, verification: null });
    expect(runner.shape.layers).toBe(2);
  });

  it('go along when a sequence moves, is copied or is parked, and others sit where it sat', async () => {
    const length = LONG!.promptIds.length;
    await prefillInChunks(runner, 2, LONG!.promptIds, CHUNK_TOKENS);
    runner.moveSlot(2, 5, length);
    await prefillInChunks(runner, 2, OTHER!.promptIds, CHUNK_TOKENS);
    runner.copySlot(5, 0, length);
    await runner.decode(1, Int32Array.of(alone.tokens[0]!), Int32Array.of(length));
    expect(differingValues(logitsRow(runner), alone.logits[1]!)).toBe(0);
    runner.moveSlot(0, 4, length + 1);
    await runner.prefill(0, Int32Array.of(1, 2, 3), 0);
    runner.moveSlot(4, 2, length + 1);
    expect(differingValues(await decodeRow(runner, 2, alone.tokens.slice(0, 2), length + 1), alone.logits[2]!)).toBe(0);
  });

  it('begin with zeros whatever the slot held, and go on through chunks of any length', async () => {
    for (const chunks of [[2], [31, 3, 20], 33, 5]) {
      await prefillInChunks(runner, 1, OTHER!.promptIds, CHUNK_TOKENS);
      const logits = await prefillInChunks(runner, 1, LONG!.promptIds, chunks);
      expect(differingValues(logits, alone.logits[0]!)).toBe(0);
    }
  });

  it('are those of each row, however many runs each had before', async () => {
    const other = await generateAlone(runner, OTHER!.promptIds, 4, CHUNK_TOKENS);
    await prefillInChunks(runner, 0, LONG!.promptIds, [30, 30, 30]);
    await prefillInChunks(runner, 1, OTHER!.promptIds, [20, 20]);
    await prefillInChunks(runner, 2, LONG!.promptIds, [90]);
    const pasts = Int32Array.of(LONG!.promptIds.length, OTHER!.promptIds.length, LONG!.promptIds.length);
    const both = [alone, other, alone];
    for (const [step, rows] of [3, 2, 3].entries()) {
      // The third row misses a run, so that it is on another side than the others.
      const at = (row: number) => (row === 2 && step === 2 ? 1 : step);
      const tokens = Int32Array.from(both, ({ tokens: own }, row) => own[at(row)]!);
      await runner.decode(
        rows,
        tokens,
        pasts.map((past, row) => past + at(row)),
      );
      for (let row = 0; row < rows; row++)
        expect(differingValues(logitsRow(runner, row), both[row]!.logits[at(row) + 1]!)).toBe(0);
    }
  });

  it('are left as they were by a run that is interrupted', async () => {
    const { interruptAddress } = runner;
    if (interruptAddress === null) return expect('binding' in more).toBe(true);
    const { promptIds } = LONG!;
    await prefillInChunks(runner, 0, promptIds.slice(0, 57), CHUNK_TOKENS);
    // One token more than a tile of attention: two runs.
    const chunk = Int32Array.from(promptIds.slice(57));
    interruptRun(interruptAddress);
    await expect((async () => runner.prefill(0, chunk, 57))()).rejects.toThrow(RunInterruptedError);
    await runner.prefill(0, chunk, 57);
    expect(differingValues(logitsRow(runner), alone.logits[0]!)).toBe(0);
    const token = Int32Array.of(alone.tokens[0]!);
    interruptRun(interruptAddress);
    await expect((async () => runner.decode(1, token, Int32Array.of(90)))()).rejects.toThrow(RunInterruptedError);
    await runner.decode(1, token, Int32Array.of(90));
    expect(differingValues(logitsRow(runner), alone.logits[1]!)).toBe(0);
  });

  it('are left as they were by a chunk of which some parts were computed', async () => {
    const { prefillParts } = runner;
    if (prefillParts == null) return expect('prefillParts' in more).toBe(false);
    // One token more than a tile of attention: two runs, of which the first is made in part 0.
    const chunk = Int32Array.from(LONG!.promptIds.slice(10, 43));
    await runner.prefill(1, Int32Array.from(LONG!.promptIds.slice(0, 10)), 0);
    await prefillParts.run(0, 1, chunk, 10);
    for (let part = 0; part < prefillParts.count; part++) {
      await prefillParts.run(part, 1, chunk, 10);
      await runner.prefill(0, Int32Array.of(1, 2), 0);
      await runner.decode(1, Int32Array.of(3), Int32Array.of(2));
      if (part === 0) await prefillParts.run(0, 1, chunk, 10);
    }
    await runner.prefill(1, Int32Array.from(LONG!.promptIds.slice(43)), 43);
    expect(differingValues(logitsRow(runner), alone.logits[0]!)).toBe(0);
  });

  it('refuse what would go on from another token than the last', async () => {
    await prefillInChunks(runner, 0, SHORT!.promptIds, CHUNK_TOKENS);
    const refusal =
      /the states of slot 0 are behind 17 tokens, and 16 are named; go on behind all of them, or begin at 0/;
    expect(() => runner.decode(1, Int32Array.of(1), Int32Array.of(16))).toThrow(RunnerArgumentError);
    expect(() => runner.prefill(0, Int32Array.of(1, 2), 16)).toThrow(refusal);
    expect(() => runner.copySlot(0, 1, 16)).toThrow(refusal);
    expect(() => runner.moveSlot(0, 1, 16)).toThrow(refusal);
    await runner.decode(1, Int32Array.of(bestToken(logitsRow(runner))), Int32Array.of(17));
  });

  it('are kept with a block where they are behind it, and no slot goes on behind one without', async () => {
    const keeping = await open(path, { ...more, prefixCacheBytes: 1 << 16 });
    const [first, second] = [LONG!.promptIds.slice(0, 16), LONG!.promptIds.slice(16, 32)];
    await keeping.prefill(0, Int32Array.from([...first, ...second]), 0);
    keeping.saveBlock(0, 0, 3, 16);
    keeping.saveBlock(0, 16, 5, 16);
    await prefillInChunks(keeping, 1, OTHER!.promptIds, CHUNK_TOKENS);
    for (const slot of [0, 1, 2]) {
      keeping.loadBlock(3, slot, 0, 16);
      expect(() => keeping.prefill(slot, Int32Array.from(second), 16)).toThrow(
        /of a block that was kept without states/,
      );
      keeping.loadBlock(5, slot, 16, 16);
      await keeping.prefill(slot, Int32Array.from(LONG!.promptIds.slice(32)), 32);
      expect(differingValues(logitsRow(keeping), alone.logits[0]!)).toBe(0);
    }
    await keeping.close();
  });
});

describe('an engine on a model with states', () => {
  let runner: ModelRunner;
  beforeAll(async () => {
    runner = await open('lfm2-community/onnx/model.onnx', { prefixCacheBytes: 1 << 20 });
  });
  afterAll(async () => {
    await runner?.close();
  });

  const request = (requestId: string, promptIds: readonly number[], changes: Partial<EngineRequest> = {}) => ({
    ...{ requestId, epoch: 1, promptTokenIds: Int32Array.from(promptIds), choices: 1, topLogprobs: 3 },
    sampling: { ...GREEDY, temperature: 1, seed: 5, frequencyPenalty: 0.3 },
    stop: { tokenIds: [], strings: [], maxTokens: 40 },
    ...changes,
  });
  const engine = (prefillChunkTokens = CHUNK_TOKENS) =>
    new Engine({ runner, tokenTable: numberedTokenTable(vocabularySize), prefillChunkTokens });

  /** Log probabilities and all. @param steps of the engine before it is left; null for to its end */
  async function answer(
    asked: EngineRequest,
    others: readonly EngineRequest[],
    before?: DeliveredAnswer,
    steps?: number,
  ) {
    const delivered = before ?? new DeliveredAnswer(asked.requestId, asked.choices);
    const running = engine();
    const stopFollowing = delivered.follow(running);
    for (const other of others.slice(0, 1)) running.submit(other);
    for (let step = 0; step < 3; step++) await running.step();
    running.submit(asked);
    for (const other of others.slice(1)) {
      running.submit(other);
      for (let step = 0; step < 4; step++) await running.step();
    }
    if (steps === undefined) await running.runUntilIdle();
    else for (let step = 0; step < steps; step++) await running.step();
    stopFollowing();
    expect(delivered.failure).toBeNull();
    return { delivered, stats: running.stats() };
  }

  /** Where a prompt's beginning was found is no part of an answer. */
  const withoutCounts = ({ choices }: DeliveredAnswer) =>
    choices.map(({ deltas, finish }) => ({ deltas, finish: { ...finish, cachedPromptTokens: 0 } }));

  it('gives the next turns of a chat, and prompts that share a beginning, the bits that they have without a prefix cache', async () => {
    const system = LONG!.promptIds.slice(0, 70);
    const running = engine(96);
    const cached: number[] = [];
    const ask = async (promptIds: readonly number[]) => {
      const asked = request(`a${cached.length}`, promptIds);
      const delivered = new DeliveredAnswer(asked.requestId, 1);
      const stopFollowing = delivered.follow(running);
      running.submit(asked);
      await running.runUntilIdle();
      stopFollowing();
      cached.push(delivered.choices[0]!.finish!.cachedPromptTokens);
      expect(withoutCounts(delivered)).toEqual(withoutCounts((await answer(asked, [])).delivered));
      return delivered.choices[0]!.deltas.flatMap(({ tokenIds }) => [...tokenIds]);
    };
    const own = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let turn = [...system, ...own];
    for (let i = 0; i < 3; i++) turn = [...turn, ...(await ask(turn)), 20 + i, 30 + i, 40 + i];
    for (const begin of [41, 51, 61]) await ask([...system, ...own.map((token) => begin + token)]);
    // Behind answers to the token (their last one was never computed) where these have a prompt's bits, else behind the prompts. Of the system prompt
    // the whole blocks, but for the first prompt that parts from others there: it leaves the states behind them.
    const turns = runner.description.runInvariant ? [119, 162] : [80, 123];
    expect(cached).toEqual([0, ...turns, 0, 64, 64]);
  });

  it('gives three choices of one prompt what they get alone, parked for others in between, and resumed elsewhere', async () => {
    const asked = request('r', LONG!.promptIds, { choices: 3, tenantId: 'flood' });
    const { delivered: whole } = await answer(asked, []);
    const first = await answer({ ...asked, choices: 1 }, []);
    expect(withoutCounts(first.delivered)[0]).toEqual(withoutCounts(whole)[0]);
    const others = prompts.map(({ promptIds }, i) => request(`o${i}`, promptIds, { tenantId: `t${i % 3}` }));
    const { delivered: among, stats } = await answer(asked, others);
    expect(stats.parksTotal).toBeGreaterThan(0);
    expect(withoutCounts(among)).toEqual(withoutCounts(whole));
    const cut = new DeliveredAnswer('r', 3);
    await answer(asked, others.slice(0, 2), cut, 20);
    const moved = await answer({ ...asked, epoch: 2, resume: cut.resume }, others.slice(4), cut);
    expect(withoutCounts(moved.delivered)).toEqual(withoutCounts(whole));
  });
});

describe('a model with states where its cache would be on a device', () => {
  it('runs on the CPU, and says so, or is refused where it may not', async () => {
    const runner = await open('lfm2-builder-int4/model.onnx', { providers: ['webgpu', 'cpu'] });
    expect(runner.description).toMatchObject({ provider: 'cpu', kvMemory: 'host' });
    expect(runner.description.fallbacks).toEqual([expect.stringMatching(/CPU is used: .*"past.0.conv"/)]);
    await runner.close();
    await expect(open('lfm2-builder-int4/model.onnx', { providers: ['webgpu'] })).rejects.toThrow(
      /"past.0.conv".*host's memory only; add the provider cpu/,
    );
    await expect(open('lfm2-builder-int4/model.onnx', { kvMemory: 'device' })).rejects.toThrow(
      /"past.0.conv".*leave kvMemory at auto/,
    );
  });
});

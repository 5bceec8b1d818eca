import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { CollectedAnswers } from '../testing/collected-answers.ts';
import type { HistoryEngineThreadData } from '../testing/history-engine-thread.ts';
import { HistoryModelRunner } from '../testing/history-model-runner.ts';
import { requestOf } from '../testing/requests.ts';
import { numberedTokenTable } from '../testing/token-tables.ts';
import { EngineThread, type EngineThreadOptions } from './engine-thread.ts';

const ENTRY = new URL('../testing/history-engine-thread.ts', import.meta.url);
const DATA: HistoryEngineThreadData = { slots: 4, vocabularySize: 32, slotTokens: 2_000 };

const start = (changes: Partial<HistoryEngineThreadData> = {}, options: EngineThreadOptions = {}) =>
  EngineThread.start(ENTRY, { ...DATA, ...changes }, { execArgv: ['--conditions=millrace-source'], ...options });

async function until(isTrue: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error('waited for 5 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const long = { tokenIds: [], strings: [], maxTokens: 1_500 };

describe('EngineThread', () => {
  it('tells the sizes of the model once it is ready', async () => {
    await using engine = await start();
    expect(engine.ready).toMatchObject({ slots: 4, slotTokens: 2_000, interruptAddress: null });
    expect(engine.ready.shape.vocabularySize).toBe(32);
    expect(engine.stats()).toMatchObject({ running: 0, freeSlots: 4 });
  });

  it('gives the same answers as an engine in this thread', async () => {
    await using engine = await start();
    const collected = new CollectedAnswers(engine);
    const requests = Array.from({ length: 9 }, (_, index) => requestOf(`r${index}`, [1, 2, 3 + index, 4, 5]));
    for (const request of requests) engine.submit(request);
    await until(() => requests.every(({ requestId }) => collected.answer(requestId).finish !== null));

    const local = new Engine({
      runner: new HistoryModelRunner(DATA),
      tokenTable: numberedTokenTable(32),
      prefillChunkTokens: 8,
    });
    const expected = new CollectedAnswers(local);
    for (const request of requests) local.submit(request);
    await local.runUntilIdle();
    for (const { requestId } of requests) expect(collected.answer(requestId)).toEqual(expected.answer(requestId));
  });

  it('takes requests and cancels while it steps, and publishes the freed slot', async () => {
    await using engine = await start({ runMs: 1 });
    const collected = new CollectedAnswers(engine);
    engine.submit(requestOf('long', [1, 2], { stop: long }));
    await until(() => collected.answer('long').tokenIds.length > 3);
    engine.submit(requestOf('short', [5, 6]));
    await until(() => collected.answer('short').finish !== null);
    expect(collected.answer('long').finish).toBeNull();
    engine.cancel('long', 1);
    await until(() => collected.answer('long').finish !== null);
    expect(collected.answer('long').finish?.reason).toBe('cancelled');
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, freeSlots: 4 });
  });

  it('wakes from idleness again and again', async () => {
    await using engine = await start();
    const collected = new CollectedAnswers(engine);
    for (let index = 0; index < 50; index++) {
      engine.submit(requestOf(`r${index}`, [1, 2, 3]));
      await until(() => collected.answer(`r${index}`).finish !== null);
    }
    expect(collected.answers.size).toBe(50);
  });

  it('rejects the start with what the entry file threw', async () => {
    await expect(start({ loadError: 'model.onnx is missing' })).rejects.toThrow('model.onnx is missing');
  });

  it('reports a thread that ends by itself, once, also to a late listener', async () => {
    const engine = await start({ crashAtRun: 2 });
    const errors: Error[] = [];
    engine.onFatal((error) => errors.push(error));
    engine.submit(requestOf('r', [1, 2, 3]));
    await until(() => errors.length > 0);
    engine.onFatal((error) => errors.push(error));
    expect(errors.map((error) => error.message)).toEqual(
      Array(2).fill("the engine's thread ended: it exited with code 3"),
    );
    await engine.close();
  });

  it('closes in the middle of work, and within its time limit when the thread does not answer', async () => {
    const busy = await start({ runMs: 1 });
    const collected = new CollectedAnswers(busy);
    busy.submit(requestOf('r', [1, 2], { stop: long }));
    await until(() => collected.answer('r').tokenIds.length > 0);
    const fatal: Error[] = [];
    busy.onFatal((error) => fatal.push(error));
    await busy.close();
    await busy.close();
    expect(collected.answer('r').finish?.reason).toBe('cancelled');
    expect(fatal).toEqual([]);

    const stuck = await start({ runMs: 60_000 }, { closeTimeoutMs: 100 });
    stuck.submit(requestOf('r', [1, 2]));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const beganMs = performance.now();
    await stuck.close();
    expect(performance.now() - beganMs).toBeLessThan(2_000);
  });
});

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { DeliveredAnswer } from '../../libs/engine/src/testing/delivered-answer.ts';
import { numberedTokenTable } from '../../libs/engine/src/testing/token-tables.ts';
import { fixtureModel } from './fixture-models.ts';

const SLOTS = 9;
const SLOT_TOKENS = 500;
const PREFILL_CHUNK_TOKENS = 64;

describe.each(['tiny-llama', 'tiny-mha'])('a bound on the memory of keys and values of %s', (name) => {
  const model = fixtureModel(name);
  const tokenTable = numberedTokenTable(model.vocabularySize);
  let runner: ModelRunner;
  beforeAll(async () => {
    const { modelFile } = model;
    const size = { slots: SLOTS, parkingSlots: 3, slotTokens: SLOT_TOKENS, threads: 1 };
    runner = await openModelRunner({ modelFile, ...size, binding: 'auto', maxChunkTokens: PREFILL_CHUNK_TOKENS });
  });
  afterAll(() => runner?.close());

  const open = (kvTokens?: number) =>
    new Engine({ runner, tokenTable, prefillChunkTokens: PREFILL_CHUNK_TOKENS, kvTokens });
  const request = (id: number, promptTokens: number, maxTokens: number): EngineRequest => ({
    requestId: `r${id}`,
    epoch: 1,
    tenantId: `tenant-${id % 2}`,
    promptTokenIds: Int32Array.from({ length: promptTokens }, (_, i) => (i * 7 + id * 31 + 5) % model.vocabularySize),
    choices: id % 3 === 0 ? 2 : 1,
    sampling: { ...GREEDY, temperature: 1, seed: id },
    stop: { tokenIds: [], strings: [], maxTokens },
    topLogprobs: 1,
  });

  it('lets many short chats and a long one run together, within it, without a bit of difference', async () => {
    const requests = [
      request(1, 340, 100),
      ...Array.from({ length: 14 }, (_, index) => request(index + 2, 20 + index, 60 + 5 * index)),
    ];
    const alone: DeliveredAnswer[] = [];
    for (const asked of requests) {
      const engine = open();
      const answer = new DeliveredAnswer(asked.requestId, asked.choices);
      answer.follow(engine);
      engine.submit(asked);
      await engine.runUntilIdle();
      alone.push(answer);
    }
    const kvTokens = 800;
    const engine = open(kvTokens);
    const answers = requests.map((asked) => new DeliveredAnswer(asked.requestId, asked.choices));
    for (const answer of answers) answer.follow(engine);
    for (const asked of requests) engine.submit(asked);
    let mostTogether = 0;
    while (await engine.step()) {
      const { running, kvResidentTokens, kvTokens: held } = engine.stats();
      mostTogether = Math.max(mostTogether, held > 340 ? running : 0);
      expect(kvResidentTokens).toBeLessThanOrEqual(kvTokens);
    }
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, parked: 0 });
    expect(engine.stats().preemptionsTotal).toBeGreaterThan(0);
    expect(mostTogether).toBeGreaterThan(4);
    for (const [index, answer] of answers.entries()) {
      expect(answer.failure).toBeNull();
      expect(answer.choices).toEqual(alone[index]!.choices);
    }
  });

  it('refuses a bound that does not hold one slot', () => {
    expect(() => open(SLOT_TOKENS)).toThrow('allow more memory, or shorter slots');
  });
});

describe('memory of a slot', () => {
  it.runIf(process.platform === 'linux')('is taken as it fills, and given back when it is trimmed', async () => {
    const { modelFile } = fixtureModel('tiny-llama');
    const size = { slots: 400, slotTokens: 512, threads: 1, maxChunkTokens: 512 };
    const runner = await openModelRunner({ modelFile, ...size, binding: 'c-api' });
    const prompt = Int32Array.from({ length: 511 }, (_, i) => i % 300);
    await runner.prefill(0, prompt, 0);
    const before = residentBytes();
    for (let slot = 1; slot < size.slots; slot++) runner.copySlot(0, slot, prompt.length);
    const filledBytes = runner.description.kvBytes * (398 / 400);
    expect(residentBytes() - before).toBeGreaterThan(0.9 * filledBytes);
    expect(runner.residentTokens).toBe(400 * 512);
    for (let slot = 1; slot < size.slots; slot++) runner.trimSlot(slot, 64);
    expect(residentBytes() - before).toBeLessThan(0.5 * filledBytes);
    await runner.prefill(1, prompt.subarray(64), 64);
    await runner.close();
  });

  it.runIf(process.platform === 'linux')(
    'goes with what is moved, in both directions and again and again',
    async () => {
      const { modelFile } = fixtureModel('tiny-llama');
      const size = { slots: 200, parkingSlots: 200, slotTokens: 512, threads: 1, maxChunkTokens: 512 };
      const runner = await openModelRunner({ modelFile, ...size, binding: 'c-api' });
      const prompt = Int32Array.from({ length: 500 }, (_, i) => i % 300);
      await runner.prefill(0, prompt, 0);
      for (let slot = 1; slot < size.slots; slot++) runner.copySlot(0, slot, prompt.length);
      await runner.decode(1, Int32Array.of(7), Int32Array.of(prompt.length));
      const next = runner.logits.slice(0, runner.shape.vocabularySize);
      const before = residentBytes();
      for (let round = 0; round < 3; round++) {
        for (let slot = 0; slot < size.slots; slot++) runner.moveSlot(slot, size.slots + slot, prompt.length);
        for (let slot = 0; slot < size.slots; slot++) runner.moveSlot(size.slots + slot, slot, prompt.length);
      }
      expect(runner.residentTokens).toBe(200 * 512);
      expect(residentBytes() - before).toBeLessThan(0.25 * runner.description.kvBytes);
      await runner.decode(1, Int32Array.of(7), Int32Array.of(prompt.length));
      expect(runner.logits.subarray(0, runner.shape.vocabularySize)).toEqual(next);
      await runner.close();
    },
  );
});

const residentBytes = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

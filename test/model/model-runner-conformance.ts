import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KV_BLOCK_TOKENS, MASS_TOLERANCE, type ModelRunner, NEAR_NATS } from '#contracts';
import type { FixtureModel } from './fixture-models.ts';
import {
  bestToken,
  differingValues as differingBits,
  generateAlone,
  largestDifference,
  logitsRow,
  prefillInChunks,
} from './runner-driver.ts';

const SLOTS = 8;
const PARKING_SLOTS = 2;
const SLOT_TOKENS = 400;
const CHUNK_TOKENS = 32;

const EXACT = { largestDifference: 1e-3, leastAgreement: 1 };

export interface ConformingRunner {
  name: string;
  open: (slots: number, slotTokens: number, maxChunkTokens: number, parkingSlots: number) => Promise<ModelRunner>;
  /** Where it keeps keys and values rounded: what logits may differ by, and the least share of tokens before the first that is another. */
  rounding?: { largestDifference: number; leastAgreement: number };
  /** What a row's logits may differ by in runs of other rows or lengths, where products of the provider depend on these; nothing by default. */
  runRounding?: number;
  /** Where a device is emulated: fewer prompts, tokens and splits of a prompt. */
  emulated?: boolean;
}

/** What every `ModelRunner` must do, on a fixture model. */
export function describeModelRunner(implementation: ConformingRunner, fixture: FixtureModel): void {
  describe(`${implementation.name} on ${fixture.name}`, () => {
    let runner: ModelRunner;
    const { runRounding = 0, emulated = false } = implementation;
    const differingValues = (a: Float32Array, b: Float32Array) => valuesApart(a, b, runRounding);
    const prompts = fixture.prompts.filter((prompt) => prompt.promptIds.length + 64 <= SLOT_TOKENS);

    beforeAll(async () => {
      runner = await implementation.open(SLOTS, SLOT_TOKENS, CHUNK_TOKENS, PARKING_SLOTS);
    });
    afterAll(async () => {
      await runner.close();
    });

    it('generates the tokens and logits of transformers for every prompt', async () => {
      expect(prompts.length).toBeGreaterThanOrEqual(16);
      const { largestDifference: most, leastAgreement } = { ...EXACT, ...implementation.rounding };
      let agreeing = 0;
      const compared = emulated ? prompts.slice(0, 4) : prompts;
      for (const prompt of compared) {
        const { tokens, logits } = await generateAlone(runner, prompt.promptIds, emulated ? 16 : 64, CHUNK_TOKENS);
        const other = tokens.findIndex((token, i) => token !== prompt.generatedIds[i]);
        const same = other < 0 ? tokens.length : other;
        agreeing += same / tokens.length;
        for (const { generatedIndex, offset } of prompt.logits ?? []) {
          if (generatedIndex > same || generatedIndex >= logits.length) continue; // of other tokens
          const expected = fixture.referenceLogits.subarray(offset, offset + fixture.vocabularySize);
          expect(largestDifference(logits[generatedIndex]!, expected)).toBeLessThanOrEqual(most);
        }
      }
      expect(agreeing / compared.length).toBeGreaterThanOrEqual(leastAgreement);
    });

    it('gives a row the same bits alone and in a ragged batch whose rows join and leave', async () => {
      const steps = 12;
      const batch = prompts.slice(0, SLOTS);
      const alone = [];
      for (const prompt of batch) alone.push(await generateAlone(runner, prompt.promptIds, steps, CHUNK_TOKENS));
      const tokens = new Int32Array(SLOTS);
      const pasts = new Int32Array(SLOTS);
      let differing = 0;
      for (const [slot, prompt] of batch.entries()) {
        const logits = await prefillInChunks(runner, slot, prompt.promptIds, CHUNK_TOKENS);
        differing += differingValues(logits, alone[slot]!.logits[0]!);
        tokens[slot] = bestToken(logits);
        pasts[slot] = prompt.promptIds.length;
      }
      const made = new Int32Array(SLOTS).fill(1);
      for (const rows of [8, 8, 5, 1, 3, 8, 2, 7, 8, 8, 8]) {
        await runner.decode(rows, tokens, pasts);
        for (let row = 0; row < rows; row++) {
          const logits = logitsRow(runner, row);
          differing += differingValues(logits, alone[row]!.logits[made[row]!]!);
          tokens[row] = bestToken(logits);
          pasts[row]! += 1;
          made[row]! += 1;
        }
      }
      expect(differing).toBe(0);
    });

    it('gives the same bits for any split of a prompt into chunks of two or more tokens', async () => {
      // Lengths just above a multiple of attention's tiles leave one query over unless the runner sees to it.
      for (const length of emulated ? [33, 65] : [33, 64, 65, 97, 129, 200, 257]) {
        const { vocabularySize } = runner.shape;
        const prompt = Int32Array.from({ length }, (_, i) => (i * 37 + 11) % vocabularySize);
        const whole = await prefillInChunks(runner, 0, prompt, length);
        const differing: Record<string, number> = {};
        for (const chunks of [[2], [20, 10], [2, 3, 5, 7], [length - 2], 16, 33, 65, 129]) {
          const split = await prefillInChunks(runner, 3, prompt, chunks);
          differing[String(chunks)] = differingValues(split, whole);
        }
        expect({ length, differing }).toEqual({ length, differing: zeros(differing) });
      }
    });

    it('keeps other slots as they were during prefill and decode', async () => {
      const [first, second] = [prompts[3]!.promptIds, prompts[5]!.promptIds];
      await prefillInChunks(runner, 0, first, CHUNK_TOKENS);
      await prefillInChunks(runner, 1, second, CHUNK_TOKENS);
      const token = Int32Array.of(9, 9);
      await runner.decode(2, token, Int32Array.of(first.length, second.length));
      const before = logitsRow(runner, 1);
      await prefillInChunks(runner, 0, second, 7);
      await prefillInChunks(runner, 2, first, 5);
      await runner.decode(1, token, Int32Array.of(second.length));
      await runner.decode(2, token, Int32Array.of(second.length, second.length));
      expect(differingValues(logitsRow(runner, 1), before)).toBe(0);
    });

    it('copies a slot so that the copy goes on like the original', async () => {
      const prompt = prompts.find(({ promptIds }) => promptIds.length > 30)!.promptIds;
      await prefillInChunks(runner, 2, prompt, CHUNK_TOKENS);
      runner.copySlot(2, 0, prompt.length);
      runner.copySlot(2, 1, prompt.length);
      const pasts = new Int32Array(3).fill(prompt.length);
      await runner.decode(3, Int32Array.of(5, 5, 5), pasts);
      expect(differingValues(logitsRow(runner, 0), logitsRow(runner, 2))).toBe(0);
      expect(differingValues(logitsRow(runner, 1), logitsRow(runner, 2))).toBe(0);
    });

    it('moves a slot so that it goes on like the original', async () => {
      const prompt = prompts.find(({ promptIds }) => promptIds.length > 30)!.promptIds;
      const alone = await generateAlone(runner, prompt, 2, CHUNK_TOKENS);
      await prefillInChunks(runner, 2, prompt, CHUNK_TOKENS);
      runner.moveSlot(2, 0, prompt.length);
      await runner.decode(1, Int32Array.of(alone.tokens[0]!), Int32Array.of(prompt.length));
      expect(differingValues(logitsRow(runner, 0), alone.logits[1]!)).toBe(0);
    });

    it('takes back a step: the same call again gives the same bits', async () => {
      const prompt = prompts[4]!.promptIds;
      await prefillInChunks(runner, 0, prompt, CHUNK_TOKENS);
      await runner.decode(1, Int32Array.of(5), Int32Array.of(prompt.length));
      const once = logitsRow(runner);
      await runner.decode(1, Int32Array.of(6), Int32Array.of(prompt.length));
      await runner.decode(1, Int32Array.of(5), Int32Array.of(prompt.length));
      expect(differingBits(logitsRow(runner), once)).toBe(0);
    });

    it('keeps a sequence in a parking slot while others run, and goes on with it in any slot, bit for bit', async () => {
      const prompt = prompts[4]!.promptIds;
      const alone = await generateAlone(runner, prompt, 6, CHUNK_TOKENS);
      await prefillInChunks(runner, 0, prompt, CHUNK_TOKENS);
      await runner.decode(1, Int32Array.of(alone.tokens[0]!), Int32Array.of(prompt.length));
      for (let taken = 1; taken < 5; taken++) {
        const tokens = prompt.length + taken;
        const [from, to, parking] = [taken - 1, taken, SLOTS + (taken % PARKING_SLOTS)];
        runner.copySlot(from, parking, tokens);
        await runner.prefill(from, Int32Array.of(9, 8, 7), 0);
        for (let row = 0; row <= to; row++) await runner.prefill(row, Int32Array.of(3, 4), 0);
        runner.copySlot(parking, to, tokens);
        const inputs = new Int32Array(SLOTS).fill(5);
        const pasts = new Int32Array(SLOTS).fill(2);
        inputs[to] = alone.tokens[taken]!;
        pasts[to] = tokens;
        await runner.decode(to + 1, inputs, pasts);
        expect(differingValues(logitsRow(runner, to), alone.logits[taken + 1]!)).toBe(0);
      }
    });

    it('goes on from blocks in any slot as from what they were saved from', async () => {
      const prompt = prompts.find(({ promptIds }) => promptIds.length > 40)!.promptIds;
      const whole = await prefillInChunks(runner, 0, prompt, CHUNK_TOKENS);
      const parts = [
        { block: 2, from: 0, tokens: KV_BLOCK_TOKENS },
        { block: runner.blocks - 1, from: KV_BLOCK_TOKENS, tokens: KV_BLOCK_TOKENS },
        { block: 0, from: 2 * KV_BLOCK_TOKENS, tokens: 5 },
      ];
      for (const { block, from, tokens } of parts) runner.saveBlock(0, from, block, tokens);
      await runner.prefill(0, Int32Array.of(9, 8, 7), 0);
      for (const { block, from, tokens } of parts) runner.loadBlock(block, 5, from, tokens);
      const held = 2 * KV_BLOCK_TOKENS + 5;
      await runner.prefill(5, Int32Array.from(prompt).subarray(held), held);
      expect(differingValues(logitsRow(runner), whole)).toBe(0);
      expect(() => runner.saveBlock(0, 0, runner.blocks, 1)).toThrow(/block is/);
      expect(() => runner.loadBlock(0, 0, 0, KV_BLOCK_TOKENS + 1)).toThrow(/a block's capacity/);
      expect(() => runner.loadBlock(0, 0, SLOT_TOKENS, 2)).toThrow(/do not fit/);
      expect(() => runner.loadBlock(0, 0, 5, 2)).toThrow(/the first token is 5; it must be a multiple of 16/);
    });

    it('copies between blocks and slots as if at once, wherever prefill and decode have their tokens', async () => {
      const long = prompts.filter(({ promptIds }) => promptIds.length > 40);
      const [first, second] = [long[0]!.promptIds, long[1]!.promptIds];
      const next = Int32Array.of(9);
      const goOn = async (slot: number, tokens: number) => {
        await runner.decode(slot + 1, new Int32Array(slot + 1).fill(9), new Int32Array(slot + 1).fill(tokens));
        return logitsRow(runner, slot);
      };
      await prefillInChunks(runner, 0, first, CHUNK_TOKENS);
      const ofFirst = await goOn(0, first.length);
      await prefillInChunks(runner, 0, second, CHUNK_TOKENS);
      const ofSecond = await goOn(0, second.length);

      type Copy = (token: number, block: number, tokens: number) => void;
      const forEachBlock = (tokens: number, firstBlock: number, copy: Copy) => {
        for (let from = 0; from < tokens; from += KV_BLOCK_TOKENS)
          copy(from, firstBlock + from / KV_BLOCK_TOKENS, Math.min(KV_BLOCK_TOKENS, tokens - from));
      };
      const save = (slot: number, tokens: number, firstBlock: number) =>
        forEachBlock(tokens, firstBlock, (token, block, count) => runner.saveBlock(slot, token, block, count));
      const load = (slot: number, tokens: number, firstBlock: number) =>
        forEachBlock(tokens, firstBlock, (token, block, count) => runner.loadBlock(block, slot, token, count));
      const blocksOf = (prompt: readonly number[]) => Math.ceil(prompt.length / KV_BLOCK_TOKENS);
      await prefillInChunks(runner, 1, first, CHUNK_TOKENS);
      save(1, first.length, 0); // prefill worked on it last
      await prefillInChunks(runner, 2, second, CHUNK_TOKENS);
      save(1, first.length, 0); // and now on another
      save(2, second.length, 0); // over the same blocks, in the same breath
      save(1, first.length, blocksOf(second));
      await runner.prefill(1, next, 0);
      load(1, first.length, 0); // to be gone again
      load(1, first.length, blocksOf(second));
      expect(differingValues(await goOn(1, first.length), ofFirst)).toBe(0);
      load(3, second.length, 0);
      expect(differingValues(await goOn(3, second.length), ofSecond)).toBe(0);

      await runner.prefill(4, next, 0);
      load(4, second.length, 0);
      runner.moveSlot(4, 5, second.length); // as soon as it is loaded
      runner.copySlot(5, 0, second.length);
      load(5, first.length, blocksOf(second));
      expect(differingValues(await goOn(0, second.length), ofSecond)).toBe(0);
      expect(differingValues(await goOn(5, first.length), ofFirst)).toBe(0);

      // What stands before and behind what is loaded stays.
      await prefillInChunks(runner, 6, first, CHUNK_TOKENS);
      await runner.prefill(0, next, 0);
      runner.loadBlock(blocksOf(second) + 1, 6, KV_BLOCK_TOKENS, 3);
      expect(differingValues(await goOn(6, first.length), ofFirst)).toBe(0);
    });

    it('selects of logits on a device what their rows have, or keeps them in host memory', async () => {
      const { deviceLogits, shape } = runner;
      const { kvMemory, provider } = runner.description;
      expect(deviceLogits != null).toBe(kvMemory === 'device' && provider !== 'webgpu');
      if (deviceLogits == null) return;
      for (const slot of [2, 1, 0]) await prefillInChunks(runner, slot, prompts[slot]!.promptIds, CHUNK_TOKENS);
      await runner.decode(
        3,
        Int32Array.of(5, 6, 7),
        Int32Array.from(prompts.slice(0, 3), (it) => it.promptIds.length),
      );
      const everySecond = new Int32Array(Math.ceil(shape.vocabularySize / 32)).fill(0x5555_5555);
      const wishes = [
        { allowed: null, listed: Int32Array.of(), inverseTemperature: 1 },
        { allowed: everySecond, listed: Int32Array.of(3, 8), inverseTemperature: 1 / 0.7 },
        { allowed: null, listed: Int32Array.of(383), inverseTemperature: 1 / 1.3 },
      ];
      const selected = deviceLogits.select(wishes);
      for (const [row, { allowed, listed, inverseTemperature }] of wishes.entries()) {
        const logits = logitsRow(runner, row);
        const candidates = selected[row]!;
        const rest = new Set(allowed === null ? logits.keys() : [...logits.keys()].filter((token) => token % 2 === 0));
        const weights = [...rest].map((token) => (logits[token]! - candidates.logits[0]!) * inverseTemperature);
        for (const [i, token] of candidates.tokenIds.entries()) {
          if (candidates.logits[i] === Number.NEGATIVE_INFINITY) break;
          expect(candidates.logits[i]).toBe(logits[token]);
          expect(candidates.logits[i]).toBeLessThanOrEqual(candidates.logits[i - 1] ?? Number.POSITIVE_INFINITY);
          expect(rest.delete(token)).toBe(true);
        }
        for (const token of rest) expect(logits[token]).toBeLessThanOrEqual(candidates.logits.at(-1)!);
        expect([...candidates.listedLogits]).toEqual([...listed].map((token) => logits[token]));
        expect(candidates.topLogits[0]).toBe(logits.reduce((a, b) => Math.max(a, b)));
        const sumOf = (exponents: readonly number[]) => exponents.reduce((sum, x) => sum + Math.exp(x), 0);
        const { all, nearLow, nearHigh } = candidates.mass;
        const near = sumOf(weights.filter((x) => x > -NEAR_NATS));
        expect(Math.abs(all / sumOf(weights) - 1)).toBeLessThan(MASS_TOLERANCE);
        expect(nearLow).toBeLessThanOrEqual(near * (1 + MASS_TOLERANCE));
        expect(nearHigh).toBeGreaterThanOrEqual(near * (1 - MASS_TOLERANCE));
        expect(candidates.logSumExp).toBeCloseTo(Math.log(sumOf([...logits])), 4);
      }
    });

    it('keeps what a trimmed slot holds, and takes memory for it again', async () => {
      const prompt = prompts.find(({ promptIds }) => promptIds.length > 30)!.promptIds;
      const whole = await prefillInChunks(runner, 3, prompt, prompt.length);
      runner.trimSlot(3, 20);
      const again = await prefillInChunks(runner, 3, prompt.slice(20), CHUNK_TOKENS, 20);
      expect(differingValues(again, whole)).toBe(0);
      expect(() => runner.trimSlot(SLOTS + PARKING_SLOTS, 0)).toThrow(/must be 0 to/);
      if (runner.residentTokens !== null) expect(runner.residentTokens).toBeGreaterThanOrEqual(prompt.length);
    });

    it('works to the last token of a slot', async () => {
      const full = Int32Array.from({ length: SLOT_TOKENS - 1 }, (_, i) => (i * 7) % fixture.vocabularySize);
      await runner.prefill(SLOTS - 1, full, 0);
      runner.copySlot(SLOTS - 1, 0, full.length);
      await runner.decode(1, Int32Array.of(1), Int32Array.of(SLOT_TOKENS - 1));
      const last = logitsRow(runner);
      expect(last.every(Number.isFinite)).toBe(true);
      const lastBlock = SLOT_TOKENS - KV_BLOCK_TOKENS;
      runner.saveBlock(SLOTS - 1, lastBlock, 1, KV_BLOCK_TOKENS - 1);
      runner.copySlot(SLOTS - 1, 1, lastBlock);
      runner.loadBlock(1, 1, lastBlock, KV_BLOCK_TOKENS - 1);
      await runner.decode(2, Int32Array.of(1, 1), Int32Array.of(SLOT_TOKENS - 1, SLOT_TOKENS - 1));
      expect(differingValues(logitsRow(runner, 1), last)).toBe(0);
    });

    it('refuses arguments that no call can serve, and works afterwards', async () => {
      const one = Int32Array.of(1);
      const refused: [() => void | Promise<void>, RegExp][] = [
        [() => runner.prefill(SLOTS, one, 0), /slot is 8/],
        [() => runner.prefill(-1, one, 0), /slot is -1/],
        [() => runner.prefill(0, new Int32Array(), 0), /empty/],
        [() => runner.prefill(0, new Int32Array(SLOT_TOKENS + 1), 0), /do not fit/],
        [() => runner.prefill(0, one, SLOT_TOKENS), /do not fit/],
        [() => runner.prefill(0, one, -1), /pastTokens/],
        [() => runner.prefill(0, Int32Array.of(fixture.vocabularySize), 0), /vocabulary/],
        [() => runner.decode(0, one, one), /rows is 0/],
        [() => runner.decode(SLOTS + 1, new Int32Array(9), new Int32Array(9)), /rows is 9/],
        [() => runner.decode(2, one, one), /there are 1 tokenIds/],
        [() => runner.decode(1, one, Int32Array.of(SLOT_TOKENS)), /do not fit/],
        [() => runner.decode(1, Int32Array.of(-1), one), /vocabulary/],
        [() => runner.copySlot(0, SLOTS + PARKING_SLOTS, 1), /to is 10; it must be 0 to 9/],
        [() => runner.copySlot(0, 1, SLOT_TOKENS + 1), /tokens is/],
      ];
      for (const [call, message] of refused) expect(call).toThrow(message);
      await runner.prefill(0, one, 0);
    });

    it('tells the sizes of the model and of its cache', () => {
      const { layers, kvHeads, headSize } = runner.shape;
      expect(runner.shape).toMatchObject({ vocabularySize: 384, layers: 2, headSize: 16, maxPositions: 512 });
      /** A device prefills in a place of its own. */
      const places = runner.description.kvMemory === 'device' ? 1 : 0;
      const headBytes = { float32: 4 * headSize, float16: 2 * headSize, int8: headSize + 4 }[runner.description.kvType];
      const slotBytes = layers * 2 * kvHeads * SLOT_TOKENS * headBytes;
      expect(runner.description.kvBytes).toBe(slotBytes * (SLOTS + PARKING_SLOTS + places));
      expect(runner.description.parkingBytes).toBe(slotBytes * PARKING_SLOTS);
      expect(runner.logits.length).toBe(SLOTS * fixture.vocabularySize);
      expect(runner.description.runtimeVersion).toMatch(/^1\.\d+\.\d+$/);
    });
  });
}

/** How many values differ by more than what is allowed (a NaN differs from all). */
function valuesApart(a: Float32Array, b: Float32Array, allowed: number): number {
  if (allowed === 0) return differingBits(a, b);
  return a.reduce((count, value, i) => count + Number(!(Math.abs(value - b[i]!) <= allowed)), 0);
}

const zeros = (counts: Record<string, number>) => Object.fromEntries(Object.keys(counts).map((key) => [key, 0]));

import { expect, it } from 'vitest';
import { KV_BLOCK_TOKENS } from '#contracts';
import { openModelRunner } from '#model-runner';
import { fixtureModel } from './fixture-models.ts';

const { modelFile } = fixtureModel('tiny-llama');
const INT64_BYTES = 8;

/** The way of CUDA and WebGPU, on the CPU provider's own allocator. */
const open = (prefixCacheBytes: number) =>
  openModelRunner({
    modelFile,
    slots: 2,
    slotTokens: 256,
    threads: 1,
    binding: 'c-api',
    kvMemory: 'device',
    maxChunkTokens: 64,
    prefixCacheBytes,
  });

it('takes memory for all blocks at the start, and says so', async () => {
  const runner = await open(1 << 20);
  const { layers, kvHeads, headSize } = runner.shape;
  const blockBytes = layers * 2 * kvHeads * KV_BLOCK_TOKENS * headSize * Float32Array.BYTES_PER_ELEMENT;
  expect(runner.blocks).toBe(Math.floor(2 ** 20 / blockBytes));
  expect(runner.description).toMatchObject({ blockBytes: runner.blocks * blockBytes, fallbacks: [] });
  await runner.close();
  const without = await open(0);
  expect(without.description.blockBytes).toBe(0);
  expect(() => without.saveBlock(0, 0, 0, 1)).toThrow(/block is 0; there are 0/);
  await without.close();
});

it('lets nothing cross to the host for blocks but where rows come from and go to, however many they are', async () => {
  const runner = await open(1 << 20);
  await runner.prefill(0, new Int32Array(200).fill(3), 0);
  const blocks = Array.from({ length: 12 }, (_, block) => block);
  const before = runner.transferredBytes ?? Number.NaN;
  for (const block of blocks) runner.saveBlock(0, block * KV_BLOCK_TOKENS, block, KV_BLOCK_TOKENS);
  for (const block of blocks) runner.loadBlock(block, 1, block * KV_BLOCK_TOKENS, KV_BLOCK_TOKENS);
  runner.copySlot(0, 1, 0);
  const rows = 2 * blocks.length * KV_BLOCK_TOKENS * runner.shape.kvHeads;
  // A slot is copied in pieces, of one row each where it has no more than 8,192.
  const slotNumbers = runner.shape.kvHeads * runner.slotTokens * INT64_BYTES;
  expect((runner.transferredBytes ?? Number.NaN) - before).toBe(2 * rows * INT64_BYTES + slotNumbers);
  await runner.close();
});

it('says what was asked for where a device has too little memory for blocks', async () => {
  await expect(open(2 ** 52)).rejects.toThrow(
    /has no room for \d+ MiB more, for a cache of 2 slots of 256 tokens and \d+ blocks of 16; .* smaller prefix cache/,
  );
});

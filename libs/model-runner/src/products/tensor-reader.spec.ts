import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FLOAT16, FLOAT32, type Initializer, UINT8 } from './constant-source.ts';
import { TensorReader } from './tensor-reader.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensor-reader-'));
  await writeFile(join(folder, 'weights'), Uint8Array.of(9, 1, 2, 3, 4, 9));
});
afterAll(() => rm(folder, { recursive: true }));

const outside = (offset: number, length?: number): Initializer => ({
  ...{ name: 'outside', dataType: UINT8, dataLocation: 1 },
  externalData: [
    { key: 'location', value: 'weights' },
    { key: 'offset', value: `${offset}` },
    ...(length === undefined ? [] : [{ key: 'length', value: `${length}` }]),
  ],
});
const read = async (tensor: Initializer, from: number, to: number) => {
  await using reader = new TensorReader(join(folder, 'model.onnx'));
  return Array.from(await reader.bytes(tensor, from, to));
};

it('reads weights wherever a file may have them', async () => {
  expect(await read({ name: 'raw', dataType: UINT8, rawData: Uint8Array.of(1, 2, 3, 4) }, 1, 3)).toEqual([2, 3]);
  expect(await read({ name: 'bytes', dataType: UINT8, int32Data: [1, 2, 255] }, 1, 3)).toEqual([2, 255]);
  expect(await read({ name: 'halves', dataType: FLOAT16, int32Data: [0x3c00, 0xbc00] }, 2, 4)).toEqual([0, 0xbc]);
  expect(await read({ name: 'floats', dataType: FLOAT32, floatData: [0, 1] }, 4, 8)).toEqual([0, 0, 0x80, 0x3f]);
  expect(await read(outside(1), 1, 4)).toEqual([2, 3, 4]);
  expect(await read(outside(1, 4), 0, 4)).toEqual([1, 2, 3, 4]);
});

it('gives no fewer bytes than it is asked for: who packs them reads as many as the shape says', async () => {
  const short = { name: 'short', dataType: UINT8, rawData: new Uint8Array(3) };
  await expect(read(short, 0, 4)).rejects.toThrow('short has 3 bytes where its shape needs 4');
  await expect(read({ name: 'none', dataType: UINT8 }, 0, 4)).rejects.toThrow('none has 0 bytes');
  await expect(read(outside(1, 3), 0, 4)).rejects.toThrow('outside has 3 bytes where its shape needs 4');
  await expect(read(outside(3), 0, 4)).rejects.toThrow('weights ends within outside');
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelLoadError } from '../model-load-error.ts';
import { decodedModel, readModel } from './read-model.ts';

const { ModelProto } = onnxProto.onnx;
const FLOAT32 = 1;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

const external = [
  { key: 'location', value: 'model.onnx_data' },
  { key: 'offset', value: '4096' },
];
const tensors = [
  // Longer than a window, and beginning at an odd byte.
  { name: 'large', dims: [25_001], dataType: FLOAT32, rawData: new Uint8Array(100_004).fill(3), dataLocation: 0 },
  { name: 'scale', dims: [1], dataType: FLOAT32, rawData: new Uint8Array(4).fill(4) },
  { name: 'numbers', dims: [300], dataType: FLOAT32, floatData: new Array<number>(300).fill(0.5) },
  { name: 'elsewhere', dims: [400], dataType: FLOAT32, dataLocation: 1, externalData: external },
  { name: 'kilobyte', dims: [256], dataType: FLOAT32, rawData: new Uint8Array(1024).fill(5) },
];

async function written(name: string): Promise<string> {
  const node = Array.from({ length: 500 }, (_, i) => ({ opType: 'Identity', input: [`v${i}`], output: [`v${i + 1}`] }));
  const model = ModelProto.fromObject({ irVersion: 8, producerName: 'a tool', graph: { node, initializer: tensors } });
  const file = join(folder, name);
  await writeFile(file, ModelProto.encode(model).finish());
  return file;
}

it('leaves weights in the file, says where they are, and keeps everything else', async () => {
  const file = await written('model.onnx');
  const bytes = await readModel(file);
  expect(bytes.length).toBeLessThan(25_000);
  const { model, graph } = decodedModel(file, bytes);
  const whole = ModelProto.decode(await readFile(file));
  expect([model.producerName, graph.node]).toEqual(['a tool', whole.graph?.node]);
  const [large, scale, numbers, elsewhere, kilobyte] = graph.initializer ?? [];
  expect([scale, numbers, elsewhere]).toEqual(whole.graph?.initializer?.slice(1, 4));
  const all = await readFile(file);
  for (const [tensor, byte, length] of [
    [large, 3, 100_004],
    [kilobyte, 5, 1024],
  ] as const) {
    const place = Object.fromEntries((tensor?.externalData ?? []).map(({ key, value }) => [key, value]));
    expect(tensor).toMatchObject({ dataLocation: 1, dataType: FLOAT32 });
    expect(place).toMatchObject({ location: 'model.onnx', length: `${length}` });
    const weights = all.subarray(Number(place.offset), Number(place.offset) + length);
    expect([weights.length, new Set(weights)]).toEqual([length, new Set([byte])]);
  }
});

it('refuses a file that was cut off anywhere, one that is no model, and one that is not there', async () => {
  const bytes = await readFile(await written('whole.onnx'));
  const file = join(folder, 'cut.onnx');
  for (const length of [1, 5, 20, 16_384, 20_000, 60_000, bytes.length - 1]) {
    await writeFile(file, bytes.subarray(0, length));
    await expect(readModel(file)).rejects.toThrow(/cut\.onnx: it is not a whole ONNX file; copy or download it again/);
  }
  await writeFile(file, '<html>not found</html>');
  await expect(readModel(file)).rejects.toThrow(ModelLoadError);
  await writeFile(file, '');
  expect(() => decodedModel(file, new Uint8Array())).toThrow(/it holds no graph/);
  await expect(readModel(join(folder, 'none.onnx'))).rejects.toThrow(/none\.onnx: the file does not exist/);
  await expect(readModel(folder)).rejects.toThrow(ModelLoadError);
});

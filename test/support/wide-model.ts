import { readFileSync, writeFileSync } from 'node:fs';
import onnxProto from 'onnx-proto';

/**
 * Writes tiny-llama anew with a vocabulary as large as language models have: the same weights over and over, each time a little smaller, and
 * logits far enough apart that few tokens are likely.
 * @param times the vocabulary of 384
 * @returns the vocabulary's size
 */
export function writeWideModel(modelFile: string, wideFile: string, times: number): number {
  const model = onnxProto.onnx.ModelProto.decode(readFileSync(modelFile));
  const tensor = (name: string) => {
    const found = model.graph?.initializer?.find((initializer) => initializer.name === name);
    if (found?.dims?.length !== 2) throw new Error(`${modelFile} has no matrix ${name}`);
    const values = new Float32Array(Uint8Array.from(found.rawData ?? []).buffer);
    const [rows, columns] = found.dims.map(Number) as [number, number];
    return { found, values, rows, columns };
  };
  const embedding = tensor('embedding');
  const vocabularySize = embedding.rows * times;
  const rows = Float32Array.from(
    { length: vocabularySize * embedding.columns },
    (_, i) => embedding.values[i % embedding.values.length] ?? 0,
  );
  embedding.found.dims = [vocabularySize, embedding.columns];
  embedding.found.rawData = new Uint8Array(rows.buffer);

  const head = tensor('head.weight');
  const columns = Float32Array.from({ length: head.rows * vocabularySize }, (_, i) => {
    const [row, token] = [Math.floor(i / vocabularySize), i % vocabularySize];
    const copy = Math.floor(token / head.columns);
    return 4 * (head.values[row * head.columns + (token % head.columns)] ?? 0) * (1 - 0.6 * (copy / times));
  });
  head.found.dims = [head.rows, vocabularySize];
  head.found.rawData = new Uint8Array(columns.buffer);
  for (const value of model.graph?.output ?? []) {
    const dim = value.type?.tensorType?.shape?.dim;
    if (value.name === 'logits' && dim) dim[dim.length - 1] = { dimValue: vocabularySize };
  }
  writeFileSync(wideFile, onnxProto.onnx.ModelProto.encode(model).finish());
  return vocabularySize;
}
